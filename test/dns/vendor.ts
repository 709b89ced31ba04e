import { setTimeout as pause } from 'node:timers/promises';
import { AgentError } from '../../src/core/errors.ts';
import type { DnsProvider, ProviderTraits, TxtChange } from '../../src/core/provider.ts';
import type { ZoneStore } from '../support/zone-store.ts';

export interface TestVendor {
  readonly provider: DnsProvider;
  /** The changes of each call that came in, refused ones too. */
  readonly calls: (readonly TxtChange[])[];
  /** Names that `findZone` was asked for. */
  readonly searches: string[];
  /** Greatest number of calls that were under way at once. */
  readonly atOnce: () => number;
  /** Each is thrown by one of the next calls, before anything is changed; undefined lets a call pass. */
  readonly faults: (AgentError | undefined)[];
  /** Calls made after the change was done and before it is answered; for a lost answer or a dead process. */
  afterChange: () => Promise<void>;
  /** A name with this in it is refused with `provider.invalid`. */
  refused: string | undefined;
}

export interface VendorOptions {
  readonly traits?: Partial<ProviderTraits> | undefined;
  /** How long a call takes between reading and writing. */
  readonly latencyMs?: number | undefined;
  /** true: has `findZone`. */
  readonly findsZones?: boolean | undefined;
  /** With `propagation.signal: api`: what `live` says. */
  readonly live?: (() => boolean) | undefined;
}

const traits: ProviderTraits = {
  model: 'rrset-replace',
  serialize: 'zone',
  batch: { maxChanges: 100, atomic: true },
  maxValuesPerName: Number.POSITIVE_INFINITY,
  removeIsExact: true,
  rate: [],
  ttl: { min: 1, preferred: 30 },
  propagation: { signal: 'authoritative', typicalMs: 300, timeoutMs: 20_000 },
};

/**
 * A vendor whose API only knows whole sets: each call reads the sets, waits, and writes them back, so that two calls at
 * once lose each other's values.
 */
export function createTestVendor(store: ZoneStore, options: VendorOptions = {}): TestVendor {
  let out = 0;
  let most = 0;
  let tickets = 0;

  const vendor: TestVendor = {
    calls: [],
    searches: [],
    faults: [],
    atOnce: () => most,
    afterChange: async () => {},
    refused: undefined,
    provider: {
      traits: { ...traits, ...options.traits },
      ...(options.findsZones === true && {
        findZone: async (name: string) => {
          vendor.searches.push(name);
          const zone = store.zoneOf(name);
          return zone === undefined ? undefined : { name: zone, id: `id-of-${zone}` };
        },
      }),
      ...(options.live !== undefined && { live: async () => options.live?.() === true }),
      apply: (zone, changes, signal) => apply(zone.name, changes, signal),
    },
  };

  async function apply(zone: string, changes: readonly TxtChange[], signal: AbortSignal) {
    vendor.calls.push(changes);
    most = Math.max(most, ++out);
    try {
      const fault = vendor.faults.shift();
      if (fault !== undefined) throw fault;
      const { refused } = vendor;
      const bad = changes.find(({ name }) => refused !== undefined && name.includes(refused));
      if (bad !== undefined) throw new AgentError('provider.invalid', `the vendor refuses ${bad.name}`);
      await replaceSets(zone, changes, signal);
      await vendor.afterChange();
      return { outcomes: changes.map(() => ({ ok: true as const })), ticket: `ticket-${++tickets}` };
    } finally {
      out--;
    }
  }

  async function replaceSets(zone: string, changes: readonly TxtChange[], signal: AbortSignal) {
    const values = new Map<string, Set<string>>();
    for (const { name } of changes) values.set(name, new Set(store.txt(name)));
    await pause(options.latencyMs ?? 5, undefined, { signal });
    for (const { op, name, value } of changes) {
      if (op === 'add') values.get(name)?.add(value);
      else values.get(name)?.delete(value);
    }
    const sets = [...values].map(([name, set]) => ({
      name,
      type: 'TXT' as const,
      ttl: 30,
      values: [...set],
    }));
    void store.write(zone, sets);
  }

  return vendor;
}
