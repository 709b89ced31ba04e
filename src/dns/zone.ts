import { AgentError } from '../core/errors.ts';
import { isUnder } from '../core/names.ts';
import type { ZoneRef } from '../core/provider.ts';
import type { DnsAccount, DnsAccounts } from './account.ts';
import { followCname } from './cname.ts';
import { createZoneSearch, type ZoneSearch, type ZoneSearchNeeds } from './zone-search.ts';

/** Where a record is to be written. */
export interface Place {
  readonly account: string;
  readonly zone: ZoneRef;
  /** The name asked for, after following CNAMEs. */
  readonly name: string;
}

export interface WantedPlace {
  readonly name: string;
  /** Name of a DNS account; absent: any. */
  readonly account?: string | undefined;
}

export interface Zones {
  /**
   * Follows CNAMEs from `name` (so that a name can be delegated to another zone), then finds the zone and who writes it.
   * Throws `dns.cname`, `dns.zoneNotFound`, `dns.query`, `provider.*`.
   */
  place(wanted: WantedPlace, signal: AbortSignal): Promise<Place>;
  /** The zone `zone` at this account, as the vendor knows it. Throws `dns.zoneNotFound`. */
  declared(account: DnsAccount, zone: string, signal: AbortSignal): Promise<ZoneRef>;
  /** The zone that the DNS itself delegates; undefined: none. Throws `dns.query`. */
  delegated(name: string, signal: AbortSignal): Promise<string | undefined>;
  /** Drops what is remembered about where `name` is written: the vendor said that it is not so. */
  forget(place: Place): void;
}

export interface ZonesNeeds extends ZoneSearchNeeds {
  readonly accounts: DnsAccounts;
}

export function createZones(needs: ZonesNeeds): Zones {
  const { accounts, resolver } = needs;
  const search = createZoneSearch(needs);

  async function place(wanted: WantedPlace, signal: AbortSignal): Promise<Place> {
    const name = await followCname(wanted.name, resolver, signal);
    const own = wanted.account === undefined ? accounts.all : [accounts.get(wanted.account)];
    // A CNAME may lead to a zone of another account; a name that stays where it is belongs to the account it was given.
    const declaring =
      longestDeclared(own, name) ?? longestDeclared(name === wanted.name ? [] : accounts.all, name);
    if (declaring === undefined) return discover(name, own, { search, signal });
    const { account } = declaring;
    return {
      account: account.name,
      zone: await declaredZone(account, declaring.zone, { search, signal }),
      name,
    };
  }

  return {
    place,
    declared: (account, zone, signal) => declaredZone(account, zone, { search, signal }),
    delegated: search.inDns,
    forget: ({ account, zone, name }) => search.forget(account, [name, zone.name]),
  };
}

interface Searching {
  readonly search: ZoneSearch;
  readonly signal: AbortSignal;
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

async function declaredZone(
  account: DnsAccount,
  zone: string,
  { search, signal }: Searching,
): Promise<ZoneRef> {
  if (account.provider.findZone === undefined) return { name: zone };
  const found = await search.atVendor(account, zone, signal);
  if (found?.name === zone) return found;
  search.forget(account.name, [zone]);
  throw new AgentError(
    'dns.zoneNotFound',
    `DNS account ${account.name} has no zone ${zone}, though the configuration declares it`,
    { facts: { account: account.name, zone } },
  );
}

async function discover(
  name: string,
  own: readonly DnsAccount[],
  { search, signal }: Searching,
): Promise<Place> {
  const finding = own.filter(({ provider }) => provider.findZone !== undefined);
  const searches = await Promise.allSettled(finding.map((account) => search.byBoth(account, name, signal)));
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
  if (walking === undefined || others.length > 0) throw notFound(name, own);
  const zone = await search.inDns(name, signal);
  if (zone === undefined) throw notFound(name, own);
  return { account: walking.name, zone: { name: zone }, name };
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
