import type { DeliveryTrouble, Notice, Outbox } from '../core/ports.ts';
import type { Base } from './base.ts';
import { decode, decodeMaybe, encode } from './codec.ts';

/** Ids begin with that of the event: milliseconds and a number, neither padded. */
const byId = new Intl.Collator('en', { numeric: true }).compare;

/** Notices that wait for delivery. Adding one twice keeps one. */
export function createOutbox({ link, keys, tolerate }: Base): Outbox {
  return {
    add: async (notifier, notices) => {
      const fields = notices.flatMap((notice) => [notice.id, encode(notice)]);
      if (fields.length > 0) await link.run((client) => client.hset(keys.outbox(notifier), ...fields));
    },
    list: async (notifier) => {
      const texts = await link.run((client) => client.hvals(keys.outbox(notifier)));
      const read = (text: string) => [decode<Notice>(text, `a notice for ${notifier}`)];
      const notices = texts.flatMap((text) => tolerate(() => read(text), []));
      return notices.sort((a, b) => a.at - b.at || byId(a.id, b.id));
    },
    remove: async (notifier, ids) => {
      if (ids.length > 0) await link.run((client) => client.hdel(keys.outbox(notifier), ...ids));
    },
    lastSentAt: async (notifier, recipient) => {
      const at = await link.run((client) => client.hget(keys.outboxSent(notifier), recipient));
      return at === null ? undefined : Number(at);
    },
    setLastSentAt: async (notifier, recipient, at) => {
      await link.run((client) => client.hset(keys.outboxSent(notifier), recipient, at));
    },
    trouble: async (notifier, recipient) => {
      const text = await link.run((client) => client.hget(keys.outboxTrouble(notifier), recipient));
      const what = `the trouble of ${notifier} with ${recipient}`;
      return tolerate(() => decodeMaybe<DeliveryTrouble>(text, what), undefined);
    },
    setTrouble: async (notifier, recipient, trouble) => {
      const key = keys.outboxTrouble(notifier);
      await link.run((client) =>
        trouble === undefined ? client.hdel(key, recipient) : client.hset(key, recipient, encode(trouble)),
      );
    },
  };
}
