import { AgentError } from '../core/errors.ts';
import type { Base } from './base.ts';

/** What it means that Redis answers and does not hold the store that was opened there. */
export function lostStore({ address, sentinels }: Base['link']): AgentError {
  // In a failover there may be two masters for a moment, one of them emptied to become a replica.
  return sentinels !== undefined
    ? new AgentError(
        'store.unavailable',
        `the master at ${address} has nothing of this store; a failover may be under way`,
      )
    : new AgentError('store.lost', `Redis at ${address} was emptied or replaced while the agent was running`);
}
