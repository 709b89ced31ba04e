export type RrType = 'SOA' | 'NS' | 'TXT' | 'CNAME' | 'A' | 'AAAA' | 'CAA';

/** Values as in a zone file, but TXT values unquoted: `127.0.0.1`, `0 issue "ca.test"`, `ns1.example.test`. */
export interface RrSet {
  readonly name: string;
  readonly type: RrType;
  readonly ttl: number;
  readonly values: readonly string[];
}

export interface ZoneStore {
  /** With SOA, NS `ns1.<zone>` and its A record 127.0.0.1; `records` come on top. Published at once. */
  addZone(name: string, options?: { publishDelayMs?: number; records?: readonly RrSet[] }): void;
  zones(): readonly string[];
  /** The longest zone that holds `name`. */
  zoneOf(name: string): string | undefined;
  /** What the owner of the zone sees, published or not. */
  held(zone: string): readonly RrSet[];
  /** Replaces whole sets (no values: removes the set); resolves when the servers show it. */
  write(zone: string, sets: readonly RrSet[]): Promise<void>;
  /** What the servers show. */
  published(name: string, type: RrType): RrSet | undefined;
  /** Some published name equals `name` or lies below it. */
  publishes(name: string): boolean;
  /** Held TXT values of a name. */
  txt(name: string): readonly string[];
}

interface Zone {
  readonly publishDelayMs: number;
  readonly held: Map<string, RrSet>;
  readonly published: Map<string, RrSet>;
}

/** Zones in memory. Names are compared in lower case. */
export function createZoneStore(): ZoneStore {
  const zones = new Map<string, Zone>();

  function zoneOf(name: string): string | undefined {
    return [...zones.keys()].filter((zone) => isWithin(zone, name)).sort((a, b) => b.length - a.length)[0];
  }

  function get(name: string): Zone {
    const zone = zones.get(name);
    if (zone === undefined) throw new Error(`the zone store has no zone ${name}`);
    return zone;
  }

  return {
    addZone(name, { publishDelayMs = 0, records = [] } = {}) {
      const zone: Zone = { publishDelayMs, held: new Map(), published: new Map() };
      put(zone.held, [...apexRecords(name), ...records]);
      put(zone.published, [...zone.held.values()]);
      zones.set(name, zone);
    },
    zones: () => [...zones.keys()],
    zoneOf,
    held: (name) => [...get(name).held.values()],
    async write(name, sets) {
      const zone = get(name);
      put(zone.held, sets);
      if (zone.publishDelayMs > 0) {
        await new Promise((resolve) => setTimeout(resolve, zone.publishDelayMs).unref());
      }
      put(zone.published, sets);
    },
    published: (name, type) => zones.get(zoneOf(name) ?? '')?.published.get(keyOf({ name, type })),
    publishes(name) {
      const sets = zones.get(zoneOf(name) ?? '')?.published.values() ?? [];
      return [...sets].some((set) => isWithin(name.toLowerCase(), set.name.toLowerCase()));
    },
    txt(name) {
      return zones.get(zoneOf(name) ?? '')?.held.get(keyOf({ name, type: 'TXT' }))?.values ?? [];
    },
  };
}

function apexRecords(zone: string): RrSet[] {
  const soa = `ns1.${zone} hostmaster.${zone} 1 3600 600 86400 5`;
  return [
    { name: zone, type: 'SOA', ttl: 60, values: [soa] },
    { name: zone, type: 'NS', ttl: 60, values: [`ns1.${zone}`] },
    { name: `ns1.${zone}`, type: 'A', ttl: 60, values: ['127.0.0.1'] },
  ];
}

function put(sets: Map<string, RrSet>, changes: readonly RrSet[]): void {
  for (const set of changes) {
    if (set.values.length === 0) sets.delete(keyOf(set));
    else sets.set(keyOf(set), set);
  }
}

function keyOf({ name, type }: Pick<RrSet, 'name' | 'type'>): string {
  return `${name.toLowerCase()} ${type}`;
}

function isWithin(zone: string, name: string): boolean {
  const lower = name.toLowerCase();
  return lower === zone || lower.endsWith(`.${zone}`);
}
