import { expect } from 'vitest';
import type { Call, CallKind, Fault } from '../support/proxy.ts';
import { always, date, problem } from './fault-kit.ts';
import { day, minute } from './given.ts';
import type { WiredWorld } from './wired-world.ts';

type Matching = (call: Call) => boolean;

/** What the calls of a kind meet for an hour. */
export interface Hour {
  readonly set: (world: WiredWorld, of: Matching) => Fault;
  /** Calls of the kind that one attempt makes at most. */
  readonly calls: number;
  /** Minutes at which an attempt may fail: by the ladder, or when the CA says. */
  readonly attempts: readonly number[];
}

const ladder = [0, 1, 11];

/** A CA that is busy, with a word on when to come back. */
function busy(code: 429 | 503, retryAfter: (at: number) => string): Hour['set'] {
  const body = code === 503 ? 'later' : problem('rateLimited');
  return ({ wire }, of) =>
    wire.first.status(of, ({ at }) => ({
      code,
      headers: { 'retry-after': retryAfter(at), date: date(at) },
      body,
      nonce: true,
    }));
}

/** The CA acts, and what it answers is changed on the way. */
function garbled(change: (text: string) => string): Hour['set'] {
  return ({ wire }, of) => wire.first.rewrite(of, ({ text }) => ({ text: change(text) }), always);
}

export const hours: Readonly<Record<string, Hour>> = {
  'internal errors': {
    set: ({ wire }, of) =>
      wire.first.status(of, () => ({ code: 500, body: problem('serverInternal'), nonce: true })),
    calls: 5,
    attempts: ladder,
  },
  'error pages': {
    set: ({ wire }, of) => wire.first.status(of, () => ({ code: 502, body: '<h1>Bad gateway</h1>' })),
    calls: 5,
    attempts: ladder,
  },
  '503 with Retry-After in seconds': { set: busy(503, () => '90'), calls: 1, attempts: ladder },
  '503 with Retry-After as a date': {
    set: busy(503, (at) => date(at + 30 * minute)),
    calls: 1,
    attempts: [0, 30],
  },
  '503 with a Retry-After that has passed': {
    set: busy(503, (at) => date(at - 300 * day)),
    calls: 5,
    attempts: ladder,
  },
  '429 with Retry-After in seconds': { set: busy(429, () => '1800'), calls: 1, attempts: [0, 30] },
  '429 with Retry-After as a date': {
    set: busy(429, (at) => date(at + 30 * minute)),
    calls: 1,
    attempts: [0, 30],
  },
  '429 with Retry-After: 0': { set: busy(429, () => '0'), calls: 5, attempts: ladder },
  '429 with a Retry-After that is none': { set: busy(429, () => '-1 fortnight'), calls: 1, attempts: ladder },
  'connections that break before the CA hears of it': {
    set: ({ wire }, of) => wire.first.cut(of, 'before', always),
    calls: 5,
    attempts: ladder,
  },
  'answers that get lost': {
    set: ({ wire }, of) => wire.first.cut(of, 'after', always),
    calls: 5,
    attempts: ladder,
  },
  'rejected nonces': {
    set: ({ wire }, of) =>
      wire.first.status(of, () => ({ code: 400, body: problem('badNonce'), nonce: true })),
    calls: 21,
    attempts: ladder,
  },
  'bodies that end too early': {
    set: garbled((text) => text.slice(0, text.length / 2)),
    calls: 2,
    attempts: ladder,
  },
  'JSON of another shape': { set: garbled(() => '{"status":7,"finalize":{}}'), calls: 2, attempts: ladder },
  silence: {
    set: ({ wire, takes }, of) => wire.first.delay(of, takes(70_000), always),
    calls: 1,
    attempts: ladder,
  },
};

/** What a job may hold a worker at most: one wait, and the short ones of a faultless order. */
export const mostHeldMs = 10_500;

/** Silence is an answer that takes long: minutes of the attempts at an order are later; to finalize is tried twice at first. */
export function attemptsOf(name: string, kind: CallKind): readonly number[] {
  if (name === 'silence' && kind === 'newOrder') return [0, 2, 12];
  if (name === 'silence' && kind === 'finalize') return [1, 2, 12];
  return hours[name]?.attempts ?? [];
}

export function mostCalls(name: string, kind: CallKind): number {
  const twice = name === 'silence' && kind === 'finalize' ? 1 : 0;
  return attemptsOf(name, kind).length * (hours[name]?.calls ?? 0) + twice;
}

/** After these the CA has done what it was asked, and says so when it is asked again. */
const acted: readonly string[] = [
  'answers that get lost',
  'bodies that end too early',
  'JSON of another shape',
];
const asking: readonly CallKind[] = ['directory', 'authz', 'order', 'cert'];

interface LadderOf {
  readonly name: string;
  readonly kind: CallKind;
  readonly attempts?: readonly number[] | undefined;
}

/** Minutes of the failed attempts: not more often than the ladder or the CA says, and not more seldom. */
export function expectLadder(
  minutes: readonly number[],
  { name, kind, attempts = attemptsOf(name, kind) }: LadderOf,
): void {
  const mayEndEarly = acted.includes(name) && !asking.includes(kind);
  // That of silence after a new order is told half a minute after its attempt began, so that the next may come a tick later.
  const slack = name === 'silence' && kind === 'newOrder' ? 1 : 0;
  const shown = minutes.map((at, index) => {
    const planned = attempts[index] ?? Number.NEGATIVE_INFINITY;
    return at > planned && at <= planned + slack ? planned : at;
  });
  expect(shown).toEqual(mayEndEarly ? attempts.slice(0, minutes.length) : attempts);
}
