import { type ErrorCode, errorTable } from '../core/errors.ts';
import type { Failure, Instant } from '../core/types.ts';

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

/** "in 59 days", "3 hours ago", "now": the largest whole unit, from two days on in days. */
export function relative(at: Instant, now: Instant): string {
  const distance = Math.abs(at - now);
  if (distance < second) return 'now';
  const amount = length(distance);
  return at > now ? `in ${amount}` : `${amount} ago`;
}

/** "59 days", "1 hour". */
export function length(ms: number): string {
  if (ms >= 2 * day) return counted(Math.floor(ms / day), 'day');
  if (ms >= hour) return counted(Math.floor(ms / hour), 'hour');
  if (ms >= minute) return counted(Math.floor(ms / minute), 'minute');
  return counted(Math.floor(ms / second), 'second');
}

/** "2026-11-21 10:32:05 UTC". */
export function exact(at: Instant): string {
  return `${new Date(at).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

/** "2026-11-21 10:32:05 UTC (in 9 minutes)". */
export function when(at: Instant, now: Instant): string {
  return `${exact(at)} (${relative(at, now)})`;
}

/** "at 2026-11-21 10:32:05 UTC (in 9 minutes)", of what workers do. */
export function soonOrAt(at: Instant, now: Instant): string {
  return at <= now ? 'as soon as a worker is free' : `at ${when(at, now)}`;
}

/** "1 host", "3 hosts". */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** "a, b and 3 more". */
export function listed(names: readonly string[], most = 5): string {
  if (names.length <= most) return names.join(', ');
  return `${names.slice(0, most).join(', ')} and ${names.length - most} more`;
}

/** The text with exactly one full stop, question or exclamation mark at its end. */
export function sentence(text: string): string {
  const trimmed = text.trim();
  return /[.!?]$/.test(trimmed) ? trimmed : `${trimmed}.`;
}

/** With what a person can do about it, of the table where nothing better is known. */
export function withAdvice(failure: Failure): Failure {
  const { code, advice } = failure;
  const usual = code in errorTable ? errorTable[code as ErrorCode].advice : undefined;
  return { ...failure, advice: advice ?? usual };
}
