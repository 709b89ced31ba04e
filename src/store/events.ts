import type { Events } from '../core/ports.ts';
import type { Event } from '../core/types.ts';
import type { Base } from './base.ts';
import { decode } from './codec.ts';

/** All readers of a group share one name, so that what a killed reader took is pending for the next one at once. */
const reader = 'agent';

type Entry = readonly [id: string, fields: readonly string[] | null];

/** The event stream. It is written only by commits. */
export function createEvents({ link, keys, tolerate }: Base): Events {
  async function readFrom(group: string, from: '0' | '>', count: number): Promise<readonly Entry[]> {
    const answer = await link.run((client) =>
      client.xreadgroup('GROUP', group, reader, 'COUNT', count, 'STREAMS', keys.events, from),
    );
    const [stream] = (answer ?? []) as readonly (readonly [string, readonly Entry[]])[];
    return stream?.[1] ?? [];
  }

  async function readBoth(group: string, count: number): Promise<readonly Entry[]> {
    const pending = await readFrom(group, '0', count);
    if (pending.length >= count) return pending;
    return [...pending, ...(await readFrom(group, '>', count - pending.length))];
  }

  /** A new group begins with the oldest event there is. */
  async function withGroup<T>(group: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof Error && error.message.includes('NOGROUP'))) throw error;
      await link.run((client) =>
        client.xgroup('CREATE', keys.events, group, '0', 'MKSTREAM').catch((cause: unknown) => {
          if (!(cause instanceof Error && cause.message.startsWith('BUSYGROUP'))) throw cause;
        }),
      );
      return work();
    }
  }

  async function ack(group: string, ids: readonly string[]): Promise<void> {
    if (ids.length > 0) await link.run((client) => client.xack(keys.events, group, ...ids));
  }

  return {
    read: async (group, count) => {
      const entries = await withGroup(group, () => readBoth(group, count));
      // Pending ones that were trimmed off the stream have no fields any more.
      await ack(
        group,
        entries.filter(([, fields]) => fields === null).map(([id]) => id),
      );
      return entries.flatMap((entry) => tolerate(() => toEvent(entry), []));
    },
    ack,
    recent: async (count) => {
      const entries = await link.run((client) => client.xrevrange(keys.events, '+', '-', 'COUNT', count));
      return entries.flatMap((entry) => tolerate(() => toEvent(entry), []));
    },
  };
}

function toEvent([id, fields]: Entry): Event[] {
  const text = fields?.[1];
  return text === undefined ? [] : [{ id, ...decode<Omit<Event, 'id'>>(text, `event ${id}`) }];
}
