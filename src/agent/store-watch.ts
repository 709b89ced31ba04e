import { AgentError, errorTable, toAgentError } from '../core/errors.ts';
import type { Clock, Log, Notice, Notifiers } from '../core/ports.ts';
import type { Instant } from '../core/types.ts';
import { inTime } from '../core/wait.ts';

export interface StoreWatch {
  stop(): Promise<void>;
}

export interface StoreWatchNeeds {
  readonly ping: () => Promise<void>;
  readonly address: string;
  readonly notifiers: () => Notifiers;
  readonly clock: Clock;
  readonly log: Log;
}

const everyMs = 60_000;
/** A restart or a failover is over by then. */
const patienceMs = 15 * 60_000;
/** One that was emptied does not come back by itself; a restore may be half done at one look. */
const lostPatienceMs = 60_000;
const sendMs = 60_000;

/**
 * Without the store there are no jobs, and so no mail by the usual way: after fifteen minutes the notifiers of the
 * configuration are told directly, once for each time that it is away; sooner when Redis no longer holds it.
 */
export function watchStore(needs: StoreWatchNeeds): StoreWatch {
  const { ping, clock, log } = needs;
  let awaySince: number | undefined;
  let told = false;
  let cancel = () => {};

  async function look(): Promise<void> {
    try {
      await ping();
      if (told) log.info({}, 'the store is back');
      awaySince = undefined;
      told = false;
    } catch (error) {
      awaySince ??= clock.now();
      const reason = toAgentError(error);
      const patience = reason.code === 'store.lost' ? lostPatienceMs : patienceMs;
      if (told || clock.now() - awaySince < patience) return;
      told = true;
      await tellAll(toNotice(needs.address, { awaySince, now: clock.now(), reason }), needs);
    }
  }

  function again(): void {
    cancel = clock.after(everyMs, () => {
      look().finally(again);
    });
  }

  again();
  return { stop: async () => cancel() };
}

async function tellAll(notice: Notice, { notifiers, clock, log }: StoreWatchNeeds): Promise<void> {
  log.error({ message: notice.message }, 'the store is away; people are told directly');
  const late = () => new AgentError('notify.failed', `nothing was taken within ${sendMs / 1000} s`);
  for (const notifier of notifiers().all())
    await inTime({ clock, ms: sendMs, late }, (signal) => notifier.send([notice], undefined, signal)).catch(
      (err: unknown) => log.warn({ notifier: notifier.name, err }, 'notice not delivered'),
    );
}

interface Away {
  readonly awaySince: Instant;
  readonly now: Instant;
  readonly reason: AgentError;
}

function toNotice(address: string, away: Away): Notice {
  return {
    id: `store-${away.awaySince}`,
    kind: 'store',
    at: away.now,
    domain: '',
    names: [],
    recipients: [],
    ...wordsOf(address, away),
  };
}

function wordsOf(
  address: string,
  { awaySince, now, reason }: Away,
): Pick<Notice, 'code' | 'message' | 'advice'> {
  const nothing = 'no certificate is renewed or deployed.';
  if (reason.code === 'store.lost')
    return {
      code: 'store.lost',
      message: reason.message,
      advice: `Now ${nothing} ${errorTable['store.lost'].advice}`,
    };
  const minutes = Math.round((now - awaySince) / 60_000);
  return {
    code: 'store.unavailable',
    message: `Redis at ${address} has not answered for ${minutes} minutes: ${reason.message}`,
    advice: `Until it answers ${nothing} Check that Redis runs and can be reached.`,
  };
}
