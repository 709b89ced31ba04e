import { randomUUID } from 'node:crypto';
import type { DnsCare, FoundLeftovers, Leftover, LeftoverSearch, SearchedZone } from '../core/dns-care.ts';
import { AgentError, toAgentError } from '../core/errors.ts';
import { isUnder } from '../core/names.ts';
import type { JournalEntry, Ports } from '../core/ports.ts';
import type { TxtRecord, ZoneRef } from '../core/provider.ts';
import type { DnsAccount, DnsAccounts } from './account.ts';
import type { Authoritative } from './authoritative.ts';
import { isByHand } from './by-hand.ts';
import { withPatience } from './deadline.ts';
import type { Engine } from './engine.ts';
import type { Vendor } from './vendor.ts';
import type { Zones } from './zone.ts';

export interface LeftoversNeeds extends Pick<Ports, 'journal' | 'clock' | 'log'> {
  readonly accounts: DnsAccounts;
  readonly zones: Zones;
  readonly authoritative: Authoritative;
  readonly vendor: Vendor;
  readonly engine: Engine;
}

interface Target {
  readonly account: DnsAccount;
  readonly zone: ZoneRef;
}

/** Also that of dns-account-01, which has a label of the account before it. */
const challengeName = /^(_[a-z2-7]{16}\.)?_acme-challenge\./;
const digest = /^[A-Za-z0-9_-]{43}$/;
const patienceMs = 8000;

/** What challenges of others, and of agents that lost their store, left in zones. */
export function createLeftovers(needs: LeftoversNeeds): Pick<DnsCare, 'leftovers' | 'discard'> {
  const { journal, accounts, engine, clock, log } = needs;

  async function leftovers(search: LeftoverSearch, signal: AbortSignal): Promise<FoundLeftovers> {
    const trouble: string[] = [];
    const targets = await targetsOf(search, { ...needs, trouble }, signal);
    const before = await journal.all();
    const looks = await Promise.all(
      targets.map(async ({ account, zone }) => {
        try {
          return await lookThrough({ account, zone }, search, needs, signal);
        } catch (error) {
          if (signal.aborted) throw error;
          trouble.push(`${zone.name} at ${account.name}: ${toAgentError(error).message}`);
          return [];
        }
      }),
    );
    const found = looks.flat();
    // What an order brought in while the vendor was asked, or took out, is ours as well.
    const isOurs = knownTo([...before, ...(await journal.all())]);
    return {
      zones: found.map(({ searched }) => searched),
      leftovers: found.flatMap(({ records }) => records).filter((record) => !isOurs(record)),
      trouble,
    };
  }

  async function discard(list: readonly Leftover[], signal: AbortSignal): Promise<readonly Leftover[]> {
    for (const { account } of list) accounts.get(account);
    const isWanted = wantedBy(await journal.all());
    const free = list.filter((record) => !isWanted(record));
    const entries = free.map(entryOf);
    signal.throwIfAborted();
    await journal.intend(entries);
    const gone = new Set<string>();
    const removals = Promise.all(entries.map((entry) => remove(entry, gone)));
    await withPatience(removals, patienceMs, { clock, signal });
    return free.filter((_, index) => gone.has(entries[index]?.id ?? ''));
  }

  /** What fails stays in the journal. */
  async function remove(entry: JournalEntry, gone: Set<string>): Promise<void> {
    try {
      await engine.remove(entry, { urgent: true });
      gone.add(entry.id);
    } catch (error) {
      const { account, zone, name } = entry;
      const { message } = toAgentError(error);
      log.warn({ account, zone, name, reason: message }, 'left-over TXT record not removed');
    }
  }

  function entryOf({ account, zone, zoneId, name, value, handle }: Leftover): JournalEntry {
    const now = clock.now();
    const about = { account, zone, zoneId, name, value, handle };
    const lineage = 'dns gc';
    return { id: randomUUID(), ...about, lineage, state: 'removing', createdAt: now, leaseUntil: now };
  }

  return { leftovers, discard };
}

type Recorded = Pick<Leftover, 'account' | 'zone' | 'name' | 'value'>;

/** What an order waits for, whichever account it came by: two accounts may hold one zone. */
function wantedBy(entries: readonly JournalEntry[]): (record: Recorded) => boolean {
  const key = ({ name, value }: Pick<Leftover, 'name' | 'value'>) => `${name} ${value}`;
  const wanted = new Set(entries.filter(({ state }) => state !== 'removing').map(key));
  return (record) => wanted.has(key(record));
}

/** Wanted, or on its way out by the account that it came by; another account may take away what that one cannot. */
function knownTo(entries: readonly JournalEntry[]): (record: Recorded) => boolean {
  const isWanted = wantedBy(entries);
  const leaving = new Set(entries.map(keyOf));
  return (record) => isWanted(record) || leaving.has(keyOf(record));
}

function keyOf({ account, zone, name, value }: Recorded): string {
  return [account, zone, name, value].join('\0');
}

type TargetNeeds = LeftoversNeeds & { readonly trouble: string[] };

async function targetsOf(
  { zone, account, domains }: LeftoverSearch,
  needs: TargetNeeds,
  signal: AbortSignal,
): Promise<readonly Target[]> {
  const chosen = account === undefined ? needs.accounts.all : [needs.accounts.get(account)];
  const writable = chosen.filter((one) => !isByHand(one));
  if (zone !== undefined) return [await ownerOf(zone, writable, needs, signal)];
  const targets = new Map<string, Target>();
  const put = (target: Target) => void targets.set(`${target.account.name} ${target.zone.name}`, target);
  const attempt = async (what: string, work: () => Promise<Target | undefined>) => {
    try {
      const target = await work();
      if (target !== undefined) put(target);
    } catch (error) {
      if (signal.aborted) throw error;
      needs.trouble.push(`${what}: ${toAgentError(error).message}`);
    }
  };
  await Promise.all([
    ...writable.flatMap((one) =>
      one.zones.map((declared) =>
        attempt(`${declared} at ${one.name}`, async () => ({
          account: one,
          zone: await needs.zones.declared(one, declared, signal),
        })),
      ),
    ),
    ...domains
      .filter((wanted) => account === undefined || wanted.account === account)
      .map(({ name, account: own }) =>
        attempt(name, async () => {
          const place = await needs.zones.place({ name: `_acme-challenge.${name}`, account: own }, signal);
          const holder = writable.find((one) => one.name === place.account);
          return holder === undefined ? undefined : { account: holder, zone: place.zone };
        }),
      ),
  ]);
  return [...targets.values()];
}

/** The first account that has a zone of exactly this name. */
async function ownerOf(
  zone: string,
  candidates: readonly DnsAccount[],
  { zones }: LeftoversNeeds,
  signal: AbortSignal,
): Promise<Target> {
  const declaring = candidates.filter((one) => one.zones.includes(zone));
  const finding = candidates.filter((one) => one.provider.findZone !== undefined);
  let last: unknown;
  for (const account of [...declaring, ...finding])
    try {
      return { account, zone: await zones.declared(account, zone, signal) };
    } catch (error) {
      if (signal.aborted) throw error;
      last = error;
    }
  if (last !== undefined) throw last;
  const names = candidates.map(({ name }) => name).join(', ') || 'none';
  throw new AgentError(
    'dns.zoneNotFound',
    `no DNS account that the agent writes to is known to have the zone ${zone} (looked at: ${names}); declare it under "zones" of its account`,
    { facts: { zone } },
  );
}

interface Look {
  readonly searched: SearchedZone;
  readonly records: readonly Leftover[];
}

async function lookThrough(
  target: Target,
  { names }: LeftoverSearch,
  needs: LeftoversNeeds,
  signal: AbortSignal,
): Promise<readonly Look[]> {
  const { account, zone } = target;
  const { provider } = account;
  const isListing = provider.listTxt !== undefined;
  const records = isListing
    ? await needs.vendor.call(
        { account: account.name, zone: zone.name, changes: 0, rate: provider.traits.rate, for: 'list' },
        async (callSignal) => (await provider.listTxt?.(zone, undefined, callSignal)) ?? [],
        signal,
      )
    : await byServers(target, names, needs, signal);
  const searched = { account: account.name, zone: zone.name, scope: isListing ? 'all' : 'names' } as const;
  const found = records
    .filter(({ name, value }) => challengeName.test(name) && digest.test(value))
    .map(({ name, value, handle, changedAt }) => ({
      ...{ account: account.name, zone: zone.name, zoneId: zone.id },
      ...{ name, value, handle, changedAt },
    }));
  return [{ searched, records: found }];
}

/** Of the names that we know of, since the vendor lists none. */
async function byServers(
  { account, zone }: Target,
  names: LeftoverSearch['names'],
  { authoritative }: LeftoversNeeds,
  signal: AbortSignal,
): Promise<readonly TxtRecord[]> {
  const owners = new Set(names.map((name) => `_acme-challenge.${name}`));
  const inside = [...owners].filter((name) => isUnder(name, zone.name));
  const looks = inside.map(async (name) => {
    const views = await authoritative.look({ zone: zone.name, name, override: account.nameservers }, signal);
    const values = new Set(views.flatMap(({ seen }) => seen.flatMap((set) => [...set])));
    return [...values].map((value) => ({ name, value }));
  });
  return (await Promise.all(looks)).flat();
}
