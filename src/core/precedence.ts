import { isAddress } from './address.ts';
import { covers, isWildcard, parentOf } from './names.ts';
import type { Certificate, Instant, LineageId } from './types.ts';

/** A certificate that is held, as far as the choice needs to know it. */
export interface Candidate {
  /** Domain of its lineage. Absent: it does not matter, for it is there as bound only. */
  readonly domain?: string | undefined;
  readonly certificate: Pick<Certificate, 'lineage' | 'source' | 'names' | 'notBefore' | 'notAfter'>;
  /** When it was revoked. */
  readonly revokedAt?: Instant | undefined;
}

export interface Question<C extends Candidate> {
  /** Of a handshake the one it asks for, of a place all that it shows one certificate for; empty: none, or no valid one. */
  readonly names: readonly string[];
  /** The one that they belong to: the longest that matches. Absent: there is none. */
  readonly domain?: string | undefined;
  /** Lineages by bound name; those under `bindingPatterns` of the names will do. */
  readonly bindings: ReadonlyMap<string, readonly LineageId[]>;
  /** Those that could be chosen, and any others; of the key classes that the asker takes. */
  readonly candidates: readonly C[];
  /** The agent's own, for whom nothing else is held. */
  readonly byDefault?: C | undefined;
  readonly now: Instant;
}

const ranks = [
  'binding',
  'uploaded exact',
  'issued exact',
  'uploaded wildcard',
  'issued wildcard',
  'fallback',
  'default',
] as const;

/** By what right a certificate is shown; earlier ones come first. */
export type Rank = (typeof ranks)[number];

export interface Choice<C extends Candidate> {
  readonly candidate: C;
  readonly rank: Rank;
  /** Bound, but expired or revoked: what was chosen stands in for it, and a person must know. */
  readonly yielding?: C | undefined;
}

/** How far the clocks of those who ask, of a CA and of ours may differ. */
const skewMs = 3_600_000;

/**
 * So long a revoked certificate is still shown where the alternative is a self-signed one: few browsers look at
 * revocations, all refuse a self-signed one.
 */
const yieldAfterMs = 10 * 60_000;

/**
 * What is shown for a name. The order of ranks; but whatever is expired or revoked gives way to any valid trusted one
 * below it, then to the self-signed one. Within a rank the valid come first, then the youngest, then the smallest id.
 * No name gets a certificate of another domain unless it is bound. Pure.
 */
export function choose<C extends Candidate>(question: Question<C>): Choice<C> | undefined {
  const entered = question.candidates.flatMap((candidate) => {
    const rank = rankOf(candidate, question);
    return rank === undefined ? [] : [{ candidate, rank, standing: standingOf(candidate, question.now) }];
  });
  const [first] = entered.toSorted(compare);
  if (first === undefined)
    return question.byDefault && { candidate: question.byDefault, rank: 'default' as const };
  const { candidate, rank } = first;
  const bound = entered.filter((one) => one.rank === 'binding').toSorted(compare)[0];
  const isYielding = bound !== undefined && rank !== 'binding';
  return { candidate, rank, ...(isYielding && { yielding: bound.candidate }) };
}

/** When the choice changes by itself: what was chosen ends, or another begins. undefined: not before something changes. */
export function choiceEndsAt<C extends Candidate>(
  choice: Choice<C>,
  { candidates, now }: Question<C>,
): Instant | undefined {
  const ends = endOf(choice.candidate);
  const begins = candidates.map(beginOf).filter((at) => at > now);
  const next = Math.min(...(ends > now ? [ends] : []), ...begins);
  return Number.isFinite(next) ? next : undefined;
}

/** When a certificate gives way to whatever else there is: at its expiry, or soon after its revocation. */
export function endOf({ certificate: { notAfter }, revokedAt }: Candidate): Instant {
  return revokedAt === undefined ? notAfter : Math.min(notAfter, revokedAt + yieldAfterMs);
}

/**
 * Under what a binding for the name may stand, in the order in which they count: the name, `*` for its first label, `*`
 * for its last one, `*`. A `*` stands for exactly one label, but for the last kind, which stands for all names.
 */
export function bindingPatterns(name: string): readonly string[] {
  if (isAddress(name)) return [];
  if (isWildcard(name)) return [name, '*'];
  const [first = '', ...rest] = name.split('.');
  const most = [first, ...rest.slice(0, -1)].join('.');
  const leftmost = rest.length < 2 ? [] : [`*.${rest.join('.')}`];
  const rightmost = rest.length < 1 ? [] : [`${most}.*`];
  return [name, ...leftmost, ...rightmost, '*'];
}

/** The longest of the domains that the name lies under, or is. */
export function ownDomain(name: string, domains: { has(name: string): boolean }): string | undefined {
  let at: string | undefined = isWildcard(name) ? name.slice(2) : name;
  while (at !== undefined && !domains.has(at)) at = parentOf(at);
  return at;
}

/** True if one of the names of a certificate is valid for each of these. */
export function coversAll(held: readonly string[], names: readonly string[]): boolean {
  return names.length > 0 && names.every((name) => held.some((pattern) => covers(pattern, name)));
}

interface Entered<C extends Candidate> {
  readonly candidate: C;
  readonly rank: Rank;
  readonly standing: number;
}

function compare<C extends Candidate>(a: Entered<C>, b: Entered<C>): number {
  const [one, other] = [a.candidate.certificate, b.candidate.certificate];
  return (
    a.standing - b.standing ||
    ranks.indexOf(a.rank) - ranks.indexOf(b.rank) ||
    other.notBefore - one.notBefore ||
    (one.lineage < other.lineage ? -1 : 1)
  );
}

/** 0: valid and trusted · 1: revoked just now · 2: valid, and nobody trusts it · 3: expired, revoked, or not valid yet. */
function standingOf(candidate: Candidate, now: Instant): number {
  const isValid = now >= beginOf(candidate) && now < endOf(candidate);
  if (!isValid) return 3;
  if (candidate.certificate.source === 'self-signed') return 2;
  return candidate.revokedAt === undefined ? 0 : 1;
}

function beginOf({ certificate }: Candidate): Instant {
  return certificate.notBefore - skewMs;
}

function rankOf<C extends Candidate>(
  { certificate: { lineage, source, names: held }, domain }: C,
  { names, domain: own, bindings }: Question<C>,
): Rank | undefined {
  if (isBound(lineage, names, bindings)) return 'binding';
  if (own === undefined || domain !== own || !coversAll(held, names)) return undefined;
  if (source === 'self-signed') return 'fallback';
  const isExact = names.every((name) => held.includes(name));
  if (source === 'upload') return isExact ? 'uploaded exact' : 'uploaded wildcard';
  return isExact ? 'issued exact' : 'issued wildcard';
}

/** Each of the names is bound to it, by the binding that counts for that name. */
function isBound(
  lineage: LineageId,
  names: readonly string[],
  bindings: Question<Candidate>['bindings'],
): boolean {
  const counts = (name: string) => bindingPatterns(name).find((pattern) => bindings.has(pattern));
  return (
    names.length > 0 &&
    bindings.size > 0 &&
    names.every((name) => bindings.get(counts(name) ?? '')?.includes(lineage) === true)
  );
}
