import type { HostAsks } from '../core/ports.ts';
import type { AskRefusal } from '../core/types.ts';
import type { Base } from './base.ts';
import { decode, encode } from './codec.ts';
import type { Hints } from './pubsub.ts';

/** Names of hosts go over a channel: who tells of them needs no right to write. */
export function createHostAsks({ link, keys, clock, tolerate }: Base, hints: Hints): HostAsks {
  return {
    ask: async (name) => {
      await link.run((client) => client.publish(keys.askedChannel, name));
    },
    hear: (heard) => hints.listen(keys.askedChannel, heard),
    refusalOf: async (name) => {
      const text = await link.run((client) => client.get(keys.asked(name)));
      if (text === null) return undefined;
      const refusal = tolerate<AskRefusal | undefined>(
        () => decode(text, `the refusal of ${name}`),
        undefined,
      );
      return refusal !== undefined && refusal.until > clock.now() ? refusal : undefined;
    },
    refuse: async (name, refusal) => {
      const lifeMs = Math.max(1, Math.ceil(refusal.until - clock.now()));
      await link.run((client) => client.set(keys.asked(name), encode(refusal), 'PX', lifeMs));
    },
    waiting: async () => {
      const found = await link.run((client) =>
        client.zrangebyscore(keys.waitingHosts, '-inf', '+inf', 'WITHSCORES'),
      );
      return found.flatMap((name, index) =>
        index % 2 === 0 ? [{ name, since: Number(found[index + 1]) }] : [],
      );
    },
    addWaiting: async (name, since) => {
      await link.run((client) => client.zadd(keys.waitingHosts, String(since), name));
    },
    dropWaiting: async (names) => {
      if (names.length > 0) await link.run((client) => client.zrem(keys.waitingHosts, ...names));
    },
  };
}
