import type { TlsAnswer, TlsAnswers } from '../core/ports.ts';
import type { Base } from './base.ts';
import { decode } from './codec.ts';

/** What else a stranger asks for is not worth a question to Redis. */
const serverNamePattern = /^[a-z0-9_.-]{1,253}$/;

interface Kept {
  readonly text: string;
  readonly answer: TlsAnswer;
}

/** tls-alpn-01 answers: a list for each server name, written in one transaction for all names of an order. */
export function createTlsAnswers({ link, keys, clock, tolerate }: Base): TlsAnswers {
  async function all(serverName: string): Promise<readonly Kept[]> {
    const texts = await link.run((client) => client.lrange(keys.tlsAnswers(serverName), 0, -1));
    const read = (text: string) => [{ text, answer: decode<TlsAnswer>(text, `an answer for ${serverName}`) }];
    return texts.flatMap((text) => tolerate(() => read(text), []));
  }

  async function put(answers: readonly TlsAnswer[]): Promise<void> {
    const known = await Promise.all(answers.map(({ serverName }) => all(serverName)));
    const held = known.flat();
    const fresh = answers.filter((wanted) => !held.some(({ answer }) => isSame(answer, wanted)));
    if (fresh.length === 0) return;
    await link.run(async (client) => {
      const transaction = client.multi();
      for (const answer of fresh) {
        const key = keys.tlsAnswers(answer.serverName);
        const queue = held.filter((one) => one.answer.serverName === answer.serverName);
        const until = Math.max(answer.expiresAt, ...queue.map((one) => one.answer.expiresAt));
        // Made with an earlier key of the account.
        for (const { text } of queue.filter((one) => isFor(answer.token, one)))
          transaction.lrem(key, 0, text);
        transaction.rpush(key, JSON.stringify(answer));
        transaction.pexpire(key, Math.max(1, Math.ceil(until - clock.now())));
      }
      for (const [error] of (await transaction.exec()) ?? []) if (error !== null) throw error;
    });
  }

  return {
    put,
    of: async (serverName) => {
      if (!serverNamePattern.test(serverName)) return [];
      const now = clock.now();
      return (await all(serverName)).map(({ answer }) => answer).filter(({ expiresAt }) => expiresAt > now);
    },
    remove: async (serverName, token) => {
      const own = (await all(serverName)).filter((one) => isFor(token, one));
      for (const { text } of own)
        await link.run((client) => client.lrem(keys.tlsAnswers(serverName), 0, text));
    },
  };
}

function isSame(a: TlsAnswer, b: TlsAnswer): boolean {
  return a.serverName === b.serverName && a.token === b.token && a.keyAuthorization === b.keyAuthorization;
}

function isFor(token: string, { answer }: Kept): boolean {
  return answer.token === token;
}
