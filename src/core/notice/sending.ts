import { AgentError, toAgentError } from '../errors.ts';
import type { DeliveryTrouble, Notice, Notifier, Ports } from '../ports.ts';
import type { Instant } from '../types.ts';
import { inTime } from '../wait.ts';

export type SendingNeeds = Pick<Ports, 'outbox' | 'clock' | 'log'>;

/** What goes to one recipient of a notifier, in order. */
export interface Parcel {
  readonly notices: readonly Notice[];
  /** undefined: the notifier's own. */
  readonly recipient: string | undefined;
}

const minute = 60_000;
const shortestPauseMs = minute;
const longestPauseMs = 60 * minute;
/** What a receiver may ask for. */
const longestAskedMs = 24 * 60 * minute;
const digestMs = 60 * minute;
/** Longer than any time limit that a notifier can be given. */
const sendMs = 3 * minute;

/**
 * Sends, unless the recipient got something within the hour or the notifier failed for it a short while ago. Resolves
 * with undefined when it was taken, else with when to try again. The log has a line when a recipient is lost, and one
 * when it is back.
 */
export async function send(
  notifier: Notifier,
  parcel: Parcel,
  needs: SendingNeeds,
  signal: AbortSignal,
): Promise<Instant | undefined> {
  const { outbox, clock, log } = needs;
  const to = parcel.recipient ?? '';
  const trouble = await outbox.trouble(notifier.name, to);
  const openAt = believable(trouble?.retryAt, clock.now()) ?? (await openFrom(notifier, to, needs));
  if (openAt !== undefined) return openAt;
  try {
    await inTime({ clock, ms: sendMs, late: () => lateAt(notifier), signal }, (both) =>
      notifier.send(parcel.notices, parcel.recipient, both),
    );
  } catch (cause) {
    // The agent stops; the notifier did nothing wrong.
    if (signal.aborted) return clock.now();
    return fail(notifier.name, { to, trouble, error: toAgentError(cause) }, needs);
  }
  if (notifier.digest) await outbox.setLastSentAt(notifier.name, to, clock.now());
  if (trouble !== undefined) {
    await outbox.setTrouble(notifier.name, to, undefined);
    log.info({ notifier: notifier.name, since: trouble.since }, 'notices are delivered again');
  }
  return undefined;
}

/** From when people may be written to again, at most once an hour; undefined: now. */
async function openFrom(
  { name, digest }: Notifier,
  to: string,
  { outbox, clock }: SendingNeeds,
): Promise<Instant | undefined> {
  if (!digest) return undefined;
  const last = await outbox.lastSentAt(name, to);
  const now = clock.now();
  // A delivery that lies well ahead was noted by a clock that jumped.
  const isSoon = last !== undefined && last > now - digestMs && last < now + digestMs;
  return isSoon ? last + digestMs : undefined;
}

function lateAt({ name }: Notifier): AgentError {
  const words = `the notifier ${name} took nothing within ${sendMs / minute} minutes`;
  return new AgentError('notify.failed', words);
}

async function fail(
  notifier: string,
  {
    to,
    trouble,
    error,
  }: {
    readonly to: string;
    readonly trouble: DeliveryTrouble | undefined;
    readonly error: AgentError;
  },
  { outbox, clock, log }: SendingNeeds,
): Promise<Instant> {
  const now = clock.now();
  const tries = (trouble?.tries ?? 0) + 1;
  const retryAt = nextTry(tries, error, now);
  await outbox.setTrouble(notifier, to, { since: trouble?.since ?? now, tries, retryAt });
  const facts = { notifier, tries, retryAt, err: error };
  if (trouble === undefined) log.warn(facts, 'notices are not delivered; they are tried again');
  else log.debug(facts, 'notices are still not delivered');
  return retryAt;
}

/** Twice as long after each failure; what is refused for good can only be mended by a person. */
function nextTry(tries: number, { retry, retryAt }: AgentError, now: Instant): Instant {
  const doubled = shortestPauseMs * 2 ** Math.min(tries - 1, 10);
  const pauseMs = retry === 'blocked' ? longestPauseMs : Math.min(doubled, longestPauseMs);
  return Math.max(now + pauseMs, Math.min(retryAt ?? now, now + longestAskedMs));
}

/** Over, or written by a clock that jumped: now. */
function believable(retryAt: Instant | undefined, now: Instant): Instant | undefined {
  return retryAt === undefined || retryAt <= now || retryAt > now + longestAskedMs ? undefined : retryAt;
}
