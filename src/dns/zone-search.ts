import type { Ports } from '../core/ports.ts';
import type { ZoneRef } from '../core/provider.ts';
import { orAborted } from '../core/wait.ts';
import type { DnsAccount } from './account.ts';
import { createCache, type Fresh } from './cache.ts';
import type { RecursiveResolver } from './resolver.ts';
import type { Vendor } from './vendor.ts';
import { findCut } from './zone-cut.ts';

/** What the DNS and the vendors say about the zone of a name, remembered for a while. */
export interface ZoneSearch {
  /** The zone that the DNS delegates; undefined: none. Throws `dns.query`. */
  inDns(name: string, signal: AbortSignal): Promise<string | undefined>;
  /** The zone of the account that holds `name`; undefined: it has none. Throws `provider.*`. */
  atVendor(account: DnsAccount, name: string, signal: AbortSignal): Promise<ZoneRef | undefined>;
  /**
   * As `atVendor`, but what the DNS says is asked for first: all names of a zone then cost the vendor one search, and a
   * zone that lies at the vendor but is not delegated there is not taken for the real one.
   */
  byBoth(account: DnsAccount, name: string, signal: AbortSignal): Promise<ZoneRef | undefined>;
  /** Drops what is remembered about these names of an account. */
  forget(account: string, names: readonly string[]): void;
}

export interface ZoneSearchNeeds extends Pick<Ports, 'clock'> {
  readonly resolver: RecursiveResolver;
  readonly vendor: Vendor;
  /** Ends shared searches. */
  readonly closing: AbortSignal;
}

const positiveMs = 5 * 60_000;
const negativeMs = 10_000;

export function createZoneSearch({ resolver, vendor, clock, closing }: ZoneSearchNeeds): ZoneSearch {
  const zones = createCache<ZoneRef | undefined>(clock);
  const cuts = createCache<string | undefined>(clock);

  function inDns(name: string, signal: AbortSignal): Promise<string | undefined> {
    return orAborted(
      cuts.get(name, () => findCut(name, resolver, closing)),
      signal,
    );
  }

  function atVendor(
    { name: account, provider }: DnsAccount,
    name: string,
    signal: AbortSignal,
  ): Promise<ZoneRef | undefined> {
    const load = async (): Promise<Fresh<ZoneRef | undefined>> => {
      const value = await vendor.call(
        { account, changes: 0, rate: provider.traits.rate, for: 'find' },
        async (callSignal) => provider.findZone?.(name, callSignal),
        closing,
      );
      return { value, ttlMs: value === undefined ? negativeMs : positiveMs };
    };
    return orAborted(zones.get(keyOf(account, name), load), signal);
  }

  async function byBoth(
    account: DnsAccount,
    name: string,
    signal: AbortSignal,
  ): Promise<ZoneRef | undefined> {
    const cut = await inDns(name, signal).catch(() => undefined);
    signal.throwIfAborted();
    const zone = cut === undefined ? undefined : await atVendor(account, cut, signal);
    return zone !== undefined && zone.name === cut ? zone : atVendor(account, name, signal);
  }

  function forget(account: string, names: readonly string[]): void {
    for (const name of names) {
      zones.forget(keyOf(account, name));
      cuts.forget(name);
    }
  }

  return { inDns, atVendor, byBoth, forget };
}

function keyOf(account: string, name: string): string {
  return `${account}|${name}`;
}
