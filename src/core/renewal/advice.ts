import type { RenewalInfo } from '../ports.ts';
import type { Certificate, Instant, RenewalState, RenewalWindow } from '../types.ts';

const minute = 60_000;
const hour = 60 * minute;

/** After an answer that is none, RFC 9773 §4.3.3; and where the CA gives no advice at all, for it may begin to. */
const longTermMs = 6 * hour;
const shortestMs = minute;
/** Every CA is asked at least twice a day. */
const longestMs = 12 * hour;

/** What the CA said of a certificate; 'none': it gives no advice at all. */
export type Advice = RenewalInfo | Unusable | 'none';

/** Pauses between questions that a CA puts off, whatever less it asks for: each is made of several requests. */
const putOffSteps = [minute, 10 * minute, 100 * minute];

/** It could not be asked, said what is no advice, or said when it can be asked again. */
export type Unusable = Pick<RenewalInfo, 'retryAfterMs'> & { readonly start?: undefined };

/** A CA whose every window lies in the past is followed once at once, and then at most so often. */
const hurryPauseMs = 12 * hour;

export interface Draw {
  readonly certificate: Pick<Certificate, 'notBefore' | 'notAfter'>;
  readonly ceilingMs: number;
  /** When our own rule would renew it. */
  readonly ownAt: Instant;
  /** In [0, 1). */
  readonly random: number;
  readonly now: Instant;
}

/** What is remembered of the CA's advice, and when it is asked again (RFC 9773 §4.3.2). */
export function takeAdvice(
  { window: held, hurriedAt, ariPutOff = 0 }: Pick<RenewalState, 'window' | 'hurriedAt' | 'ariPutOff'>,
  advice: Advice,
  draw: Draw,
): Pick<RenewalState, 'window' | 'ariCheckAt' | 'ariPutOff'> {
  if (advice === 'none') return answered(undefined, longTermMs, draw);
  const { retryAfterMs } = advice;
  if (advice.start === undefined) {
    if (retryAfterMs === undefined) return answered(held, longTermMs, draw);
    const least = putOffSteps[ariPutOff] ?? longTermMs;
    const ariCheckAt = draw.now + pauseMs(Math.max(retryAfterMs, least));
    return { window: held, ariCheckAt, ariPutOff: ariPutOff + 1 };
  }
  const { start, end, explanationUrl } = advice;
  const isSame = held?.start === start && held.end === end;
  const chosenAt = isSame ? held.chosenAt : unhurried(choose({ start, end }, draw), hurriedAt, draw);
  return answered({ start, end, explanationUrl, chosenAt }, pauseMs(retryAfterMs), draw);
}

/** By advice, or by what is none for long: the CA puts nothing off any more. */
function answered(
  window: RenewalWindow | undefined,
  pause: number,
  { now }: Draw,
): Pick<RenewalState, 'window' | 'ariCheckAt' | 'ariPutOff'> {
  return { window, ariCheckAt: now + pause, ariPutOff: undefined };
}

/** Whether replacing it now, on advice, is what a CA with wrong dates would bring about for ever. */
export function isHurried(
  { window }: Pick<RenewalState, 'window'>,
  replaced: Pick<Certificate, 'notBefore' | 'notAfter' | 'issuedAt'>,
  now: Instant,
): boolean {
  return window !== undefined && now < replaced.issuedAt + 2 * calmMs(replaced);
}

function unhurried(chosenAt: Instant, hurriedAt: Instant | undefined, { certificate }: Draw): Instant {
  if (hurriedAt === undefined) return chosenAt;
  // A true one ends in the first half of its life; any later one was written by a clock that stood ahead.
  const middle = (certificate.notBefore + certificate.notAfter) / 2;
  return Math.max(chosenAt, Math.min(hurriedAt + calmMs(certificate), middle));
}

function calmMs({ notBefore, notAfter }: Pick<Certificate, 'notBefore' | 'notAfter'>): number {
  return Math.min(hurryPauseMs, (notAfter - notBefore) / 10);
}

function pauseMs(retryAfterMs: number | undefined): number {
  return retryAfterMs === undefined ? longTermMs : Math.min(Math.max(retryAfterMs, shortestMs), longestMs);
}

/**
 * A uniformly random point of the window as far as the operator's ceiling allows it, else of the window as it is: the
 * CA knows better what it can bear. One that opens at expiry or later is no advice on when, but may say why.
 */
function choose(
  { start, end }: Pick<RenewalWindow, 'start' | 'end'>,
  { certificate: { notAfter }, ceilingMs, ownAt, random }: Draw,
): Instant {
  if (start >= notAfter) return ownAt;
  const last = Math.min(end, notAfter);
  const earliest = Math.max(start, notAfter - ceilingMs);
  const first = earliest < last ? earliest : start;
  return first + Math.floor(random * (last - first));
}

/** When to ask next; absent: never. An instant that no rule could have set (the clock jumped) counts as due. */
export function adviceDueAt({ ariCheckAt }: RenewalState, now: Instant): Instant | undefined {
  return ariCheckAt === undefined || ariCheckAt <= now + 2 * longestMs ? ariCheckAt : now;
}

/** For a certificate that was stored just now: soon, but not in the way of those that wait for theirs. */
export function firstAdviceAt({ ariCertId }: Certificate, now: Instant): Instant | undefined {
  return ariCertId === undefined ? undefined : now + minute;
}
