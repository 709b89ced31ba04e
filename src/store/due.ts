import type { Due } from '../core/ports.ts';
import type { DueEntry, DueJob } from '../core/types.ts';
import type { Base } from './base.ts';

/** The due index. It is written only by commits. */
export function createDue({ link, keys }: Base): Due {
  return {
    next: async (now, limit) => {
      const flat = await link.run((client) =>
        client.zrange(keys.due, '-inf', String(now), 'BYSCORE', 'LIMIT', 0, limit, 'WITHSCORES'),
      );
      return entriesOf(flat);
    },
    at: async (job, id) => {
      const score = await link.run((client) => client.zscore(keys.due, dueMember(job, id)));
      return score === null ? undefined : Number(score);
    },
  };
}

export function dueMember(job: DueJob, id: string): string {
  return `${job}:${id}`;
}

function entriesOf(flat: readonly string[]): readonly DueEntry[] {
  const entries: DueEntry[] = [];
  for (let i = 0; i + 1 < flat.length; i += 2) {
    const member = flat[i] ?? '';
    const colon = member.indexOf(':');
    entries.push({
      job: member.slice(0, colon) as DueJob,
      id: member.slice(colon + 1),
      at: Number(flat[i + 1]),
    });
  }
  return entries;
}
