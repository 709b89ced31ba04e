import { setTimeout as pause } from 'node:timers/promises';
import type { Call } from './proxy.ts';
import type { CallKind } from './proxy-kinds.ts';
import type { Answer } from './proxy-upstream.ts';

export type Match = CallKind | ((call: Call) => boolean);

export interface FakeAnswer {
  readonly code: number;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** An object is sent as a problem document. */
  readonly body?: string | object | undefined;
  /** Default 1. */
  readonly times?: number | undefined;
  /** Adds a fresh nonce of the CA, as a CA does with its own errors. */
  readonly nonce?: boolean | undefined;
}

export interface Held {
  /** The CA has acted and answered; the client waits. */
  readonly seen: Promise<Call>;
  /** Gives the client the CA's answer. */
  release(): void;
  /** Cuts the client's connection instead; the answer is lost. */
  drop(): void;
}

export interface Fault {
  /** Calls that met it so far. */
  readonly met: number;
  /** From now on it does nothing. */
  mend(): void;
}

/** An answer on its way to the client. */
export interface Passing {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly text: string;
}

/** What can be done to calls. Where several match, the one set first counts until it is used up; `times` is 1 by default. */
export interface Faults {
  /** Keeps back the answer of the next call that matches. */
  hold(match: Match): Held;
  /** Answers in the CA's place, which never sees the call. */
  status(match: Match, answer: FakeAnswer | ((call: Call) => FakeAnswer)): Fault;
  /** Cuts the connection before the CA sees the call, or after it acted. */
  cut(match: Match, when: 'before' | 'after', times?: number): Fault;
  /** The CA acts; what it answers is changed on the way. */
  rewrite(match: Match, change: (answer: Passing) => Partial<Passing>, times?: number): Fault;
  /** The CA's answer comes in so many pieces, with a pause after each. */
  drip(match: Match, pace: { readonly pieces: number; readonly pauseMs: number }, times?: number): Fault;
  /** The call waits on its way to the CA; when the client hangs up the CA never sees it. */
  delay(match: Match, wait: (hungUp: Promise<void>, call: Call) => Promise<void>, times?: number): Fault;
}

/** What a call meets. */
export interface Rule {
  /** Before the CA sees it. undefined: it is passed on. */
  before?(call: Call, hungUp: Promise<void>): Promise<FakeAnswer | 'cut' | undefined>;
  /** After the CA acted. */
  after?(call: Call): Promise<'send' | 'cut'>;
  change?(answer: Answer): Answer;
  /** Sends the body in its own way. */
  write?(body: Buffer, send: (piece: Buffer) => void): Promise<void>;
}

interface Entry {
  readonly match: Match;
  readonly rule: Rule;
  left: number;
  met: number;
}

export interface RuleBook extends Faults {
  /** What this call meets; counts as met. */
  take(call: Call): Rule | undefined;
}

export function createRuleBook(): RuleBook {
  const entries: Entry[] = [];

  function add(match: Match, times: number, rule: Rule): Fault {
    const entry: Entry = { match, rule, left: times, met: 0 };
    entries.push(entry);
    return {
      get met() {
        return entry.met;
      },
      mend: () => {
        entry.left = 0;
      },
    };
  }

  function hold(match: Match): Held {
    let settle: (what: 'send' | 'cut') => void = () => {};
    const decision = new Promise<'send' | 'cut'>((resolve) => {
      settle = resolve;
    });
    const seen = new Promise<Call>((resolve) => {
      const after = (call: Call) => {
        resolve(call);
        return decision;
      };
      add(match, 1, { after });
    });
    return { seen, release: () => settle('send'), drop: () => settle('cut') };
  }

  return {
    hold,
    take(call) {
      const entry = entries.find(({ match, left }) => left > 0 && isMet(match, call));
      if (entry === undefined) return undefined;
      entry.left--;
      entry.met++;
      return entry.rule;
    },
    status(match, answer) {
      const times = typeof answer === 'function' ? Number.POSITIVE_INFINITY : (answer.times ?? 1);
      return add(match, times, {
        before: async (call) => (typeof answer === 'function' ? answer(call) : answer),
      });
    },
    cut(match, when, times = 1) {
      const cut = async () => 'cut' as const;
      return add(match, times, when === 'before' ? { before: cut } : { after: cut });
    },
    rewrite: (match, change, times = 1) =>
      add(match, times, { change: (answer) => rewritten(answer, change) }),
    drip: (match, { pieces, pauseMs }, times = 1) =>
      add(match, times, {
        async write(body, send) {
          const size = Math.max(1, Math.ceil(body.length / pieces));
          for (let from = 0; from < body.length; from += size) {
            send(body.subarray(from, from + size));
            await pause(pauseMs);
          }
        },
      }),
    delay: (match, wait, times = 1) =>
      add(match, times, {
        async before(call, hungUp) {
          let isGone = false;
          await wait(
            hungUp.then(() => {
              isGone = true;
            }),
            call,
          );
          return isGone ? 'cut' : undefined;
        },
      }),
  };
}

function isMet(match: Match, call: Call): boolean {
  return typeof match === 'function' ? match(call) : match === call.kind;
}

function rewritten(answer: Answer, change: (answer: Passing) => Partial<Passing>): Answer {
  const headers = Object.fromEntries(
    Object.entries(answer.headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join() : value,
    ]),
  );
  const text = answer.body.toString();
  const changed = change({ status: answer.status, headers, text });
  return {
    status: changed.status ?? answer.status,
    headers: changed.headers ?? answer.headers,
    body: changed.text === undefined ? answer.body : Buffer.from(changed.text),
  };
}
