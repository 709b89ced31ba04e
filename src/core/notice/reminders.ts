import { type ErrorCode, errorTable } from '../errors.ts';
import type { Notice } from '../ports.ts';
import type { Case } from '../renewal/decide.ts';
import { isAbandoned } from '../renewal/decide.ts';
import type { Instant, RenewalState } from '../types.ts';
import { isExpiring } from '../uploads/expiring.ts';

const day = 86_400_000;

/** Reminders of a series that are numbered; after them one a week. */
export const remindersInSeries = 30;

/** Longest silence that a person can ask for. */
export const longestSilenceMs = 7 * day;

/** The last days of validity are never silent. */
const loudMs = 3 * day;

/** When the next reminder of a failing lineage, or of an upload that wants a successor, is due; undefined: all is well. */
export function nextReminder(given: Case): Instant | undefined {
  const { certificate, state, now } = given;
  const opensAt = seriesOpensAt(given);
  if (opensAt === undefined) return undefined;
  const next = unsilenced(state, opensAt, now);
  const { silencedUntil } = state.reminders;
  if (silencedUntil === undefined || silencedUntil <= next || !hasBeen(silencedUntil - longestSilenceMs, now))
    return next;
  const loudFrom =
    certificate === undefined || certificate.notAfter <= now ? undefined : certificate.notAfter - loudMs;
  return loudFrom === undefined ? silencedUntil : Math.max(next, Math.min(silencedUntil, loudFrom));
}

/** There is something to be silent about. */
export function isReminded({ lineage, certificate, state, now }: Case): boolean {
  return lineage.source === 'upload'
    ? isExpiring({ lineage, certificate, state, now })
    : state.failingSince !== undefined;
}

function seriesOpensAt({ lineage, certificate, state, now }: Case): Instant | undefined {
  if (lineage.source === 'upload') return certificate && (state.renewAt ?? certificate.notAfter);
  if (state.failingSince === undefined || isAbandoned({ lineage, certificate, now })) return undefined;
  return hasBeen(state.failingSince, now) ? state.failingSince + patienceMs(state, certificate) : now;
}

/** What people are told of the number: a place in the series, and none after it. */
export function numbered(number: number): Notice['reminder'] {
  return number <= remindersInSeries ? { number, of: remindersInSeries } : { number };
}

/** The silence granted for a wish: at most seven days from now. */
export function silenceUntil(forMs: number, now: Instant): Instant {
  return now + Math.min(Math.max(forMs, 0), longestSilenceMs);
}

function unsilenced({ reminders }: RenewalState, opensAt: Instant, now: Instant): Instant {
  if (reminders.lastAt === undefined || !hasBeen(reminders.lastAt, now)) return opensAt;
  return reminders.lastAt + (reminders.count < remindersInSeries ? day : 7 * day);
}

/** An instant that we remember and that lies ahead was written by a clock that jumped; clocks of agents differ a little. */
function hasBeen(at: Instant, now: Instant): boolean {
  return at <= now + day;
}

/** A day, or a tenth of a short lifetime; at once for what only a person can mend. */
function patienceMs(state: RenewalState, certificate: Case['certificate']): number {
  const code = state.lastFailure?.code;
  if (code !== undefined && errorTable[code as ErrorCode]?.retry === 'blocked') return 0;
  return certificate === undefined ? day : Math.min(day, (certificate.notAfter - certificate.notBefore) / 10);
}
