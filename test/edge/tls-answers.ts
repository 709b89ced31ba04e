import type { TlsAnswer, TlsAnswers } from '../../src/core/ports.ts';

/** The TLS-ALPN-01 answers of one agent, without a store behind them; none of them lapses. */
export function createTlsAnswers(): TlsAnswers & {
  held(): readonly TlsAnswer[];
  /** Server names that were looked up, in order. */
  readonly asked: readonly string[];
} {
  let all: readonly TlsAnswer[] = [];
  const asked: string[] = [];

  return {
    put: async (answers) => {
      all = [...all, ...answers.filter(({ token }) => !all.some((one) => one.token === token))];
    },
    of: async (serverName) => {
      asked.push(serverName);
      return all.filter((one) => one.serverName === serverName);
    },
    remove: async (serverName, token) => {
      all = all.filter((one) => one.serverName !== serverName || one.token !== token);
    },
    held: () => all,
    asked,
  };
}

export function anAnswer(change: Partial<TlsAnswer> = {}): TlsAnswer {
  const serverName = change.serverName ?? 'www.example.com';
  const token = change.token ?? 'LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0';
  return {
    serverName,
    identifier: serverName,
    token,
    keyAuthorization: `${token}.9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI`,
    putAt: 0,
    expiresAt: Number.MAX_SAFE_INTEGER,
    ...change,
  };
}
