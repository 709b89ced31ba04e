import { type RenewNeeds, renew } from '../src/core/renewal/renew.ts';
import type { Handler } from './define.ts';

/** id: lineage. */
export function issueHandler(needs: RenewNeeds): Handler {
  return (id, signal) => renew(id, needs, signal);
}
