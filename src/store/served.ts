import type { Change, ServedChange, ServedChanges } from '../core/ports.ts';
import type { Base } from './base.ts';
import type { Write } from './change.ts';
import type { Keys } from './keys.ts';
import { lostStore } from './lost.ts';
import type { Hints } from './pubsub.ts';

/** More at once are not told one by one. */
const mostTold = 1_000;
const kinds = ['lineage', 'binding', 'domain'] as const;

/** Numbers what a change does to what clients are shown, and hints at it; nothing where it does nothing. */
export function servedWrites(change: Change, keys: Keys): readonly Write[] {
  const { generation, point, putRenewals = [], removeLineages = [] } = change;
  const { putBindings = [], removeBindings = [], putDomains = [], removeDomains = [] } = change;
  const revoked = putRenewals.filter(({ revokedAt }) => revokedAt !== undefined);
  const lineages = [
    ...(generation === undefined ? [] : [generation.certificate.lineage]),
    ...(point === undefined ? [] : [point.lineage]),
    ...revoked.map(({ lineage }) => lineage),
    ...removeLineages,
  ];
  const bindings = [...putBindings, ...removeBindings].map(({ name }) => name);
  const domains = [...putDomains.map(({ name }) => name), ...removeDomains];
  const members = [
    ...lineages.map((name) => memberOf({ kind: 'lineage', name })),
    ...bindings.map((name) => memberOf({ kind: 'binding', name })),
    ...domains.map((name) => memberOf({ kind: 'domain', name })),
  ];
  if (members.length === 0) return [];
  return [{ command: 'served', key: keys.served, args: [keys.servedChannel, ...new Set(members)] }];
}

/** The numbers of all changes. A hint only makes it quick: whoever asks by a number misses nothing. */
export function createServedChanges({ link, keys, storeId }: Base, hints: Hints): ServedChanges {
  async function since(known: number | undefined) {
    const [owner, newest, changed] = await link.run((client) =>
      Promise.all([
        client.hget(keys.meta, 'storeId'),
        client.zrevrange(keys.served, 0, 0, 'WITHSCORES'),
        client.zrangebyscore(keys.served, `(${known ?? '+inf'}`, '+inf', 'LIMIT', 0, mostTold + 1),
      ]),
    );
    if (owner !== storeId) throw lostStore(link);
    const number = Number(newest[1] ?? 0);
    // Numbers go back where the store was restored, or a failover lost the last writes.
    const isTold = number === known || (known !== undefined && known > 0 && number > known);
    return { number, changed: isTold && changed.length <= mostTold ? changed.map(toChange) : 'all' } as const;
  }

  return { since, hear: (heard) => hints.listen(keys.servedChannel, heard) };
}

function memberOf({ kind, name }: ServedChange): string {
  return `${kind}:${name}`;
}

function toChange(member: string): ServedChange {
  const kind = kinds.find((one) => member.startsWith(`${one}:`)) ?? 'lineage';
  return { kind, name: member.slice(kind.length + 1) };
}
