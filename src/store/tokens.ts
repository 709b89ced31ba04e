import { createHash, randomBytes } from 'node:crypto';
import type { ChallengeTokens } from '../core/ports.ts';
import type { Instant } from '../core/types.ts';
import type { Base } from './base.ts';
import type { Hints } from './pubsub.ts';

/** RFC 8555 §8.3: base64url; anything else asked of port 80 is not worth a question to Redis. */
const tokenPattern = /^[\w-]{1,256}$/;

const trialPrefix = 'acme-agent-trial-';

interface Answer {
  readonly keyAuthorization: string;
  readonly expiresAt: Instant;
}

/** What Redis said is believed so long: a CA comes for a token from several places at once. */
const believedMs = 2_000;
const mostBelieved = 1_000;

/** http-01 answers. The process that put one answers from memory; all others ask Redis, once for those who come together. */
export function createTokens({ link, keys, storeId, clock, log }: Base, hints: Hints): ChallengeTokens {
  const own = new Map<string, Answer>();
  const believed = new Map<string, Answer>();
  const waiting = new Map<string, Set<() => void>>();
  const self = randomBytes(9).toString('base64url');
  let isListening = false;

  /** True if the one who waits for it is here: an order has one worker. */
  function tell(token: string): boolean {
    const all = [...(waiting.get(token) ?? [])];
    for (const seen of all) seen();
    return all.length > 0;
  }

  function listen(): void {
    if (isListening) return;
    isListening = true;
    hints.listen(keys.fetchedChannel, (message) => {
      const [from, token] = message.split(' ');
      if (from !== self && token !== undefined) tell(token);
    });
  }

  function known(token: string): string | undefined {
    const answer = own.get(token) ?? believed.get(token);
    return answer !== undefined && answer.expiresAt > clock.now() ? answer.keyAuthorization : undefined;
  }

  async function ask(token: string): Promise<string | undefined> {
    const keyAuthorization = await link.run((client) => client.get(keys.token(token)));
    if (keyAuthorization === null) return undefined;
    if (believed.size >= mostBelieved) believed.clear();
    believed.set(token, { keyAuthorization, expiresAt: clock.now() + believedMs });
    return keyAuthorization;
  }

  /** The same for every agent on the store, and no secret: whoever forges it deceives nobody but himself. */
  function trialAnswer(token: string): string {
    return `${token}.${createHash('sha256').update(`${storeId} ${token}`).digest('base64url')}`;
  }

  return {
    put: async (token, keyAuthorization, expiresAt) => {
      const now = clock.now();
      forgetExpired(own, now);
      own.set(token, { keyAuthorization, expiresAt });
      const lifeMs = Math.max(1, Math.ceil(expiresAt - now));
      await link.run((client) => client.set(keys.token(token), keyAuthorization, 'PX', lifeMs));
    },
    get: async (token) => {
      const held = known(token);
      if (held !== undefined) return held;
      if (!tokenPattern.test(token)) return undefined;
      if (token.startsWith(trialPrefix)) return trialAnswer(token);
      return ask(token);
    },
    remove: async (token) => {
      own.delete(token);
      believed.delete(token);
      await link.run((client) => client.del(keys.token(token)));
    },
    trial: () => {
      const token = trialPrefix + randomBytes(16).toString('base64url');
      return { token, keyAuthorization: trialAnswer(token) };
    },
    announceFetched: (token) => {
      if (token.startsWith(trialPrefix) || tell(token)) return;
      link
        .run((client) => client.publish(keys.fetchedChannel, `${self} ${token}`))
        .catch((err: unknown) => log.debug({ err }, 'other agents do not hear of a fetched token'));
    },
    onFetched: (token, seen) => {
      listen();
      const all = waiting.get(token) ?? new Set();
      waiting.set(token, all.add(seen));
      return () => {
        all.delete(seen);
        if (all.size === 0 && waiting.get(token) === all) waiting.delete(token);
      };
    },
  };
}

function forgetExpired(answers: Map<string, Answer>, now: Instant): void {
  for (const [token, { expiresAt }] of answers) if (expiresAt <= now) answers.delete(token);
}
