import { AgentError } from '../core/errors.ts';
import { isUnder, parentOf } from '../core/names.ts';
import type { Ports } from '../core/ports.ts';
import type { ZoneRef } from '../core/provider.ts';
import type { DnsAccount, DnsAccounts } from './account.ts';
import { createCache, type Fresh } from './cache.ts';
import { abandonable } from './deadline.ts';
import type { RecursiveResolver } from './resolver.ts';
import type { Vendor } from './vendor.ts';

/** Where a record is to be written. */
export interface Place {
  readonly account: string;
  readonly zone: ZoneRef;
  /** The name asked for, after following CNAMEs. */
  readonly name: string;
}

export interface Zones {
  /**
   * Follows CNAMEs from `name` (so that a name can be delegated to another zone), then finds the zone and who writes it.
   * Throws `dns.cname`, `dns.zoneNotFound`, `dns.query`, `provider.*`.
   */
  place(
    wanted: { readonly name: string; readonly account?: string | undefined },
    signal: AbortSignal,
  ): Promise<Place>;
  /** The zone `zone` at this account, as the vendor knows it. Throws `dns.zoneNotFound`. */
  declared(account: DnsAccount, zone: string, signal: AbortSignal): Promise<ZoneRef>;
  /** Drops what is remembered about where `name` is written: the vendor said that it is not so. */
  forget(place: Place): void;
}

export interface ZonesNeeds extends Pick<Ports, 'clock'> {
  readonly accounts: DnsAccounts;
  readonly resolver: RecursiveResolver;
  readonly vendor: Vendor;
  /** Ends shared searches. */
  readonly closing: AbortSignal;
}

const maxHops = 10;
const positiveMs = 5 * 60_000;
const longestPositiveMs = 3_600_000;
const negativeMs = 10_000;

export function createZones({ accounts, resolver, vendor, clock, closing }: ZonesNeeds): Zones {
  const atVendor = createCache<ZoneRef | undefined>(clock);
  const bySoa = createCache<string | undefined>(clock);

  async function place(
    wanted: { readonly name: string; readonly account?: string | undefined },
    signal: AbortSignal,
  ): Promise<Place> {
    const name = await follow(wanted.name, resolver, signal);
    const own = wanted.account === undefined ? accounts.all : [accounts.get(wanted.account)];
    // A CNAME may lead to a zone of another account; a name that stays where it is belongs to the account it was given.
    const declaring =
      longestDeclared(own, name) ?? longestDeclared(name === wanted.name ? [] : accounts.all, name);
    if (declaring !== undefined) {
      const zone = await declared(declaring.account, declaring.zone, signal);
      return { account: declaring.account.name, zone, name };
    }
    return discover(name, own, signal);
  }

  async function declared(account: DnsAccount, zone: string, signal: AbortSignal): Promise<ZoneRef> {
    if (account.provider.findZone === undefined) return { name: zone };
    const found = await find(account, zone, signal);
    if (found?.name === zone) return found;
    atVendor.forget(keyOf(account.name, zone));
    throw new AgentError(
      'dns.zoneNotFound',
      `DNS account ${account.name} has no zone ${zone}, though the configuration declares it`,
      { facts: { account: account.name, zone } },
    );
  }

  async function discover(name: string, own: readonly DnsAccount[], signal: AbortSignal): Promise<Place> {
    const finding = own.filter(({ provider }) => provider.findZone !== undefined);
    const searches = await Promise.allSettled(finding.map((account) => search(account, name, signal)));
    const best = finding
      .flatMap((account, index) => {
        const found = searches[index];
        if (found?.status !== 'fulfilled' || found.value === undefined) return [];
        return [{ account: account.name, zone: found.value, name }];
      })
      .sort((a, b) => b.zone.name.length - a.zone.name.length)[0];
    if (best !== undefined) return best;
    // An account that is out of order hides a zone only where no other has it.
    const trouble = searches.find((found) => found.status === 'rejected');
    if (trouble !== undefined) throw trouble.reason;
    // Only one account can be meant by what the DNS alone says.
    const [walking, ...others] = own.filter(({ provider }) => provider.findZone === undefined);
    const zone = walking === undefined || others.length > 0 ? undefined : await zoneBySoa(name, signal);
    if (walking !== undefined && zone !== undefined)
      return { account: walking.name, zone: { name: zone }, name };
    throw notFound(name, own);
  }

  /**
   * What the DNS says is asked for first: all names of a zone then cost the vendor one search, and a zone that lies at the
   * vendor but is not delegated there is not taken for the real one.
   */
  async function search(
    account: DnsAccount,
    name: string,
    signal: AbortSignal,
  ): Promise<ZoneRef | undefined> {
    const cut = await zoneBySoa(name, signal).catch(() => undefined);
    signal.throwIfAborted();
    const zone = cut === undefined ? undefined : await find(account, cut, signal);
    return zone !== undefined && zone.name === cut ? zone : find(account, name, signal);
  }

  function find(account: DnsAccount, name: string, signal: AbortSignal): Promise<ZoneRef | undefined> {
    const { provider } = account;
    const load = async (): Promise<Fresh<ZoneRef | undefined>> => {
      const value = await vendor.call(
        { account: account.name, changes: 0, rate: provider.traits.rate },
        async (callSignal) => provider.findZone?.(name, callSignal),
        closing,
      );
      return { value, ttlMs: value === undefined ? negativeMs : positiveMs };
    };
    return abandonable(atVendor.get(keyOf(account.name, name), load), signal);
  }

  function zoneBySoa(name: string, signal: AbortSignal): Promise<string | undefined> {
    return abandonable(
      bySoa.get(name, () => walk(name, resolver, closing)),
      signal,
    );
  }

  function forget({ account, zone, name }: Place): void {
    atVendor.forget(keyOf(account, name));
    atVendor.forget(keyOf(account, zone.name));
    bySoa.forget(name);
  }

  return { place, declared, forget };
}

async function follow(start: string, resolver: RecursiveResolver, signal: AbortSignal): Promise<string> {
  const chain = [start];
  for (let name = start; ; ) {
    const { answers } = await resolver.ask({ name, type: 'CNAME' }, signal);
    const alias = answers.find((record) => record.type === 'CNAME' && record.name === name);
    if (alias?.type !== 'CNAME') return name;
    const loops = chain.includes(alias.value);
    name = alias.value;
    chain.push(name);
    if (!loops && chain.length <= maxHops + 1) continue;
    const words = chain.join(' → ');
    throw new AgentError(
      'dns.cname',
      loops
        ? `the CNAME chain of ${start} is a loop: ${words}`
        : `the CNAME chain of ${start} does not end within ${maxHops} hops: ${words}`,
      { facts: { name: start, chain } },
    );
  }
}

/** The zone that holds `name` by the SOA in answer or authority; undefined: it is not delegated. */
async function walk(
  start: string,
  resolver: RecursiveResolver,
  signal: AbortSignal,
): Promise<Fresh<string | undefined>> {
  for (let name: string | undefined = start; name !== undefined; name = parentOf(name)) {
    const { answers, authorities } = await resolver.ask({ name, type: 'SOA' }, signal);
    const soa = [...answers, ...authorities].find((record) => record.type === 'SOA');
    if (soa === undefined || !isUnder(start, soa.name)) continue;
    // A single label is a registry's zone: the name below it is not registered or not delegated.
    if (!soa.name.includes('.')) break;
    return { value: soa.name, ttlMs: Math.min(Math.max(soa.ttl * 1000, positiveMs), longestPositiveMs) };
  }
  return { value: undefined, ttlMs: negativeMs };
}

function longestDeclared(
  accounts: readonly DnsAccount[],
  name: string,
): { readonly account: DnsAccount; readonly zone: string } | undefined {
  return accounts
    .flatMap((account) => account.zones.map((zone) => ({ account, zone })))
    .filter(({ zone }) => isUnder(name, zone))
    .sort((a, b) => b.zone.length - a.zone.length)[0];
}

function notFound(name: string, own: readonly DnsAccount[]): AgentError {
  const names = own.map((account) => account.name).join(', ');
  const who = own.length === 0 ? 'no DNS account is configured' : `no zone at DNS account ${names} holds it`;
  return new AgentError(
    'dns.zoneNotFound',
    `nobody can write ${name}: ${who}; declare the zone under "zones" of the account`,
    { facts: { name, accounts: own.map((account) => account.name) } },
  );
}

function keyOf(account: string, name: string): string {
  return `${account}|${name}`;
}
