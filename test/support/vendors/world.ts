import { createZoneStore, type RrSet, type RrType, type ZoneStore } from '../zone-store.ts';

export interface WorldOptions {
  /** Names; default: example.test and sub.example.test. */
  readonly zones?: readonly string[] | undefined;
  /** On top of what each zone has. */
  readonly records?: readonly RrSet[] | undefined;
  /** From the change to the servers; default 0. */
  readonly publishDelayMs?: number | undefined;
  /** Items on a page where the client does not say, and at most. Default: the vendor's. */
  readonly pageSize?: number | undefined;
  /** Lowest TTL that is taken. */
  readonly minTtl?: number | undefined;
}

export interface VendorZone {
  readonly name: string;
  /** Of 32 hexadecimal characters; vendors with numbers use `number`. */
  readonly id: string;
  readonly number: number;
}

export interface VendorRecord {
  /** Unique over all zones. */
  readonly id: number;
  readonly name: string;
  readonly type: RrType;
  readonly ttl: number;
  /** Unquoted. */
  readonly value: string;
}

/** The account: its zones, as sets and as records with ids, and the rules that all vendors have in some form. */
export interface World {
  readonly store: ZoneStore;
  readonly zones: readonly VendorZone[];
  readonly pageSize: number | undefined;
  readonly minTtl: number;
  /** By name, id or number. */
  zone(key: string): VendorZone | undefined;
  records(zone: string): readonly VendorRecord[];
  /** A second copy is made like any other: the front decides. */
  addRecord(zone: string, record: Omit<VendorRecord, 'id'>): VendorRecord;
  /** false: there is none with this id. */
  removeRecord(zone: string, id: number): boolean;
  txt(zone: string): readonly RrSet[];
  writeTxt(zone: string, set: Omit<RrSet, 'type'>): void;
  /** What every vendor refuses: a name outside the zone, one with the label "refused", a TTL below the least. */
  problem(
    zone: string,
    record: { readonly name: string; readonly ttl?: number | undefined },
  ): string | undefined;
}

export function createWorld(options: WorldOptions): World {
  const { publishDelayMs, pageSize, minTtl = 1 } = options;
  const store = createZoneStore();
  const names = options.zones ?? ['example.test', 'sub.example.test'];
  const records = new Map<string | undefined, RrSet[]>(names.map((name) => [name, []]));
  for (const set of options.records ?? []) records.get(longest(names, set.name))?.push(set);
  for (const name of names)
    store.addZone(name, { publishDelayMs: publishDelayMs ?? 0, records: records.get(name) ?? [] });
  const zones = names.map((name, index) => ({
    name,
    id: (index + 1).toString(16).padStart(32, 'a'),
    number: 4000 + index,
  }));
  /** Ids of the copies of one record, oldest first. */
  const ids = new Map<string, number[]>();
  let lastId = 7000;

  function idOf(key: string, copy: number): number {
    const known = ids.get(key) ?? [];
    ids.set(key, known);
    while (known.length <= copy) known.push(++lastId);
    return known[copy] ?? 0;
  }

  function recordsOf(zone: string): readonly VendorRecord[] {
    return store.held(zone).flatMap(({ name, type, ttl, values }) =>
      values.map((value, index) => {
        const copy = values.slice(0, index).filter((other) => other === value).length;
        return { id: idOf(`${name} ${type} ${value}`, copy), name, type, ttl, value };
      }),
    );
  }

  function setOf(zone: string, name: string, type: RrType): RrSet | undefined {
    return store.held(zone).find((set) => set.type === type && set.name === name);
  }

  return {
    store,
    zones,
    pageSize,
    minTtl,
    zone: (key) => zones.find(({ name, id, number }) => [name, id, String(number)].includes(key)),
    records: recordsOf,
    addRecord(zone, { name, type, ttl, value }) {
      const values = [...(setOf(zone, name, type)?.values ?? []), value];
      void store.write(zone, [{ name, type, ttl, values }]);
      const copy = values.filter((other) => other === value).length - 1;
      return { id: idOf(`${name} ${type} ${value}`, copy), name, type, ttl, value };
    },
    removeRecord(zone, id) {
      const record = recordsOf(zone).find((one) => one.id === id);
      if (record === undefined) return false;
      const { name, type, value } = record;
      const set = setOf(zone, name, type);
      const at = set?.values.indexOf(value) ?? -1;
      if (set === undefined || at < 0) return false;
      void store.write(zone, [{ ...set, values: set.values.filter((_, index) => index !== at) }]);
      const key = `${name} ${type} ${value}`;
      ids.set(
        key,
        (ids.get(key) ?? []).filter((one) => one !== id),
      );
      return true;
    },
    txt: (zone) => store.held(zone).filter(({ type }) => type === 'TXT'),
    writeTxt: (zone, set) => void store.write(zone, [{ ...set, type: 'TXT' }]),
    problem(zone, { name, ttl }) {
      if (name !== zone && !name.endsWith(`.${zone}`)) return `${name} is not in the zone ${zone}`;
      if (name.split('.').includes('refused')) return `${name} is not a name that can be used`;
      if (ttl !== undefined && ttl < minTtl) return `the TTL ${ttl} is below ${minTtl}`;
      return undefined;
    },
  };
}

function longest(zones: readonly string[], name: string): string | undefined {
  return zones
    .filter((zone) => name === zone || name.endsWith(`.${zone}`))
    .sort((a, b) => b.length - a.length)[0];
}
