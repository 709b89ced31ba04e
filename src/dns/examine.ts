import type { DnsCare, DnsExamination, DnsFinding } from '../core/dns-care.ts';
import { AgentError, toAgentError } from '../core/errors.ts';
import type { Ports } from '../core/ports.ts';
import { inTime } from '../core/wait.ts';
import type { DnsAccount, DnsAccounts } from './account.ts';
import { findNameservers, type Nameserver } from './authoritative.ts';
import { isByHand } from './by-hand.ts';
import { cnameChain } from './cname.ts';
import { checkDelegation, checkServers } from './delegation.ts';
import { checkDnssec } from './dnssec.ts';
import { parseServer, type RecursiveResolver } from './resolver.ts';
import type { Vendor } from './vendor.ts';
import type { Place, Zones } from './zone.ts';

export interface ExamineNeeds extends Pick<Ports, 'clock'> {
  readonly accounts: DnsAccounts;
  readonly zones: Zones;
  readonly resolver: RecursiveResolver;
  readonly vendor: Vendor;
}

/** For each look; several of them go on at once. */
const lookMs = 3000;

interface Looking<T> {
  readonly signal: AbortSignal;
  readonly isNeeded?: boolean | undefined;
  work(signal: AbortSignal): Promise<T>;
}

export function createExamination(needs: ExamineNeeds): Pick<DnsCare, 'examine'> {
  /** A look that fails, or takes too long, is a finding too. `isNeeded`: no order gets on without what it looks for. */
  async function look<T>(
    about: string,
    findings: DnsFinding[],
    { signal, work, isNeeded = false }: Looking<T>,
  ): Promise<T | undefined> {
    const silence = `no answer within ${lookMs / 1000} s`;
    const late = () => (isNeeded ? new AgentError('dns.query', silence) : new Error(silence));
    try {
      return await inTime({ clock: needs.clock, ms: lookMs, late, signal }, work);
    } catch (error) {
      signal.throwIfAborted();
      const { message, advice, code } = toAgentError(error);
      const words = code === 'bug' ? message.replace(/^unexpected: /, '') : `${message}. ${advice}`;
      const isKnown = code !== 'bug' && code !== 'dns.query';
      findings.push({ about, level: isKnown || isNeeded ? 'amiss' : 'unknown', message: words });
      return undefined;
    }
  }

  async function examine(
    { name, account }: Parameters<DnsCare['examine']>[0],
    signal: AbortSignal,
  ): Promise<DnsExamination> {
    const { accounts, zones, resolver } = needs;
    const findings: DnsFinding[] = [];
    const start = `_acme-challenge.${name}`;
    const chain = await look('CNAME', findings, {
      signal,
      isNeeded: true,
      work: (within) => cnameChain(start, resolver, within),
    });
    if (chain === undefined) return { findings, servers: [] };
    const followed = chain.length === 1 ? `none at ${start}` : chain.join(' → ');
    findings.push({ about: 'CNAME', level: 'fine', message: followed });
    const place = await look('zone', findings, {
      signal,
      isNeeded: true,
      work: (within) => zones.place({ name: start, account }, within),
    });
    if (place === undefined) return { findings, servers: [] };
    const holder = accounts.get(place.account);
    const [atZone, rights, servers] = await Promise.all([
      zoneFinding(place, holder, signal),
      rightsOf(holder, signal),
      serversOf(place, holder, signal),
    ]);
    findings.push(atZone, ...rights, ...servers.findings);
    const { account: written, zone } = place;
    return {
      findings,
      place: { account: written, zone: zone.name, name: place.name, isByHand: isByHand(holder) },
      servers: servers.toShow,
    };
  }

  async function zoneFinding(
    { zone, name }: Place,
    { name: account, zones: declared, provider, kind }: DnsAccount,
    signal: AbortSignal,
  ): Promise<DnsFinding> {
    const how = declared.includes(zone.name)
      ? 'declared in the configuration file'
      : provider.findZone === undefined
        ? 'found by SOA in the DNS'
        : 'as the vendor says';
    const words = `${zone.name}, ${how}; records are written by DNS account ${account}${kind === undefined ? '' : ` (${kind})`}`;
    const found: DnsFinding[] = [];
    const work = (within: AbortSignal) => needs.zones.delegated(name, within);
    const cut = await look('zone', found, { signal, work });
    if (cut === undefined || cut === zone.name) return { about: 'zone', level: 'fine', message: words };
    return {
      about: 'zone',
      level: 'amiss',
      message: `${words}, but the DNS has ${name} in the zone ${cut}: nobody would see them. Delegate ${zone.name}, or name the account that writes ${cut}.`,
    };
  }

  async function rightsOf(
    { name: account, provider }: DnsAccount,
    signal: AbortSignal,
  ): Promise<readonly DnsFinding[]> {
    const findings: DnsFinding[] = [];
    const about = `account ${account}`;
    if (provider.check === undefined) return findings;
    const call = { account, changes: 0, rate: provider.traits.rate, for: 'check' as const };
    const work = async (within: AbortSignal) => {
      await needs.vendor.call(call, async (callSignal) => provider.check?.(callSignal), within);
      return true;
    };
    if ((await look(about, findings, { signal, work })) === true)
      findings.push({ about, level: 'fine', message: 'its credentials are accepted' });
    return findings;
  }

  async function serversOf(
    { zone }: Place,
    { nameservers: override = [] }: DnsAccount,
    signal: AbortSignal,
  ): Promise<{ readonly toShow: readonly string[]; readonly findings: readonly DnsFinding[] }> {
    const findings: DnsFinding[] = [];
    const list: readonly Nameserver[] | undefined =
      override.length > 0
        ? override.map((text) => ({ server: text, addresses: [parseServer(text)] }))
        : await look('nameservers', findings, {
            signal,
            work: async (within) => (await findNameservers(zone.name, needs.resolver, within)).value,
          });
    if (list === undefined) return { toShow: [], findings };
    const [checked, ...parts] = await Promise.all([
      look('nameservers', findings, {
        signal,
        work: (within) => checkServers(zone.name, list, needs, within),
      }),
      // Those of the file stand for others that the DNS does not lead to from here.
      override.length > 0
        ? undefined
        : look('delegation', findings, {
            signal,
            work: async (within) => [await checkDelegation(zone.name, list, needs, within)],
          }),
      look('DNSSEC', findings, {
        signal,
        work: async (within) => [
          { about: 'DNSSEC', ...(await checkDnssec({ zone: zone.name, servers: list }, needs, within)) },
        ],
      }),
    ]);
    return {
      toShow: checked?.answering ?? list.map(({ server }) => server),
      findings: [...findings, ...(checked?.findings ?? []), ...parts.flatMap((part) => part ?? [])],
    };
  }

  return { examine };
}
