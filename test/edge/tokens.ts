import type { ChallengeTokens, Clock } from '../../src/core/ports.ts';

export interface HeldToken {
  readonly keyAuthorization: string;
  readonly expiresAt: number;
}

/** The tokens of one agent, without a store behind them. */
export function createTokens(): ChallengeTokens & {
  held(): Readonly<Record<string, HeldToken>>;
  /** Tokens whose fetch was announced, in order. */
  readonly fetched: readonly string[];
  /** Tokens that were looked up, in order. */
  readonly asked: readonly string[];
} {
  const held = new Map<string, HeldToken>();
  const listeners = new Map<string, Set<() => void>>();
  const fetched: string[] = [];
  const asked: string[] = [];

  return {
    put: async (token, keyAuthorization, expiresAt) => void held.set(token, { keyAuthorization, expiresAt }),
    get: async (token) => {
      asked.push(token);
      return held.get(token)?.keyAuthorization;
    },
    remove: async (token) => void held.delete(token),
    announceFetched: (token) => {
      fetched.push(token);
      for (const seen of listeners.get(token) ?? []) seen();
    },
    onFetched: (token, seen) => {
      const those = listeners.get(token) ?? new Set();
      listeners.set(token, those.add(seen));
      return () => void those.delete(seen);
    },
    trial: () => ({ token: 'trial', keyAuthorization: 'trial.answer' }),
    held: () => Object.fromEntries(held),
    fetched,
    asked,
  };
}

export function fixedClock(at: number): Clock {
  const unused = () => {
    throw new Error('not used here');
  };
  return { now: () => at, sleep: unused, after: unused };
}
