import type { DnsFinding } from '../core/dns-care.ts';
import { parentOf } from '../core/names.ts';
import type { Clock } from '../core/ports.ts';
import { findNameservers, type Nameserver } from './authoritative.ts';
import type { DnsReply } from './reply.ts';
import type { RecursiveResolver } from './resolver.ts';
import { describeServer, query } from './wire.ts';

export interface DelegationNeeds {
  readonly resolver: RecursiveResolver;
  readonly clock: Clock;
}

const timeoutMs = 2000;

export interface CheckedServers {
  readonly findings: readonly DnsFinding[];
  /** Those that answer for the zone at some address; of the others nobody need wait for a record. */
  readonly answering: readonly string[];
}

/** What each nameserver says of the zone itself: dead, lame (RFC 9499), behind the others, or well. */
export async function checkServers(
  zone: string,
  servers: readonly Nameserver[],
  { clock }: DelegationNeeds,
  signal: AbortSignal,
): Promise<CheckedServers> {
  const seen = await Promise.all(
    servers.map(async ({ server, addresses }) => {
      const replies = addresses.map(async (address) => {
        const ask = query(address, { name: zone, type: 'SOA' }, { clock, signal, timeoutMs });
        return {
          address: describeServer(address).replace('DNS server ', ''),
          reply: await ask.catch(() => undefined),
        };
      });
      return { server, looks: await Promise.all(replies) };
    }),
  );
  const serials = seen.flatMap(({ looks }) => looks.flatMap(({ reply }) => serialOf(reply) ?? []));
  const newest = newestOf(serials);
  const isAnswering = (looks: readonly Look[]) => looks.some(({ reply }) => serialOf(reply) !== undefined);
  return {
    findings: seen.map(({ server, looks }) => ({
      about: `nameserver ${server}`,
      ...judge(zone, looks, newest),
    })),
    answering: seen.filter(({ looks }) => isAnswering(looks)).map(({ server }) => server),
  };
}

interface Look {
  readonly address: string;
  readonly reply: DnsReply | undefined;
}

function judge(zone: string, looks: readonly Look[], newest: number | undefined): Omit<DnsFinding, 'about'> {
  if (looks.length === 0)
    return {
      level: 'amiss',
      message: `Its name has no address: remove it from the NS records of ${zone}, or give it one.`,
    };
  const dead = looks.filter(({ reply }) => reply === undefined).map(({ address }) => address);
  const lame = looks.filter(({ reply }) => reply !== undefined && serialOf(reply) === undefined);
  const behind = looks.filter(({ reply }) => {
    const serial = serialOf(reply);
    return serial !== undefined && newest !== undefined && serial !== newest;
  });
  const faults = [
    ...(dead.length === 0 ? [] : [`no answer from ${dead.join(', ')}`]),
    ...lame.map(({ address, reply }) => `${address} answers ${reply?.rcode} without authority (lame)`),
    ...behind.map(({ address, reply }) => `${address} is behind: serial ${serialOf(reply)}, not ${newest}`),
  ];
  if (faults.length === 0)
    return { level: 'fine', message: `answers at ${looks.map(({ address }) => address).join(', ')}` };
  return {
    level: 'amiss',
    message: `${faults.join('; ')}. Mend it, or remove it from the NS records of ${zone} there and at the registrar.`,
  };
}

function serialOf(reply: DnsReply | undefined): number | undefined {
  if (reply?.aa !== true) return undefined;
  const soa = reply.answers.find((record) => record.type === 'SOA');
  return soa?.type === 'SOA' ? soa.serial : undefined;
}

/** RFC 1982: serial numbers go round. */
function newestOf(serials: readonly number[]): number | undefined {
  return serials.reduce<number | undefined>(
    (newest, serial) => (newest === undefined || (serial - newest) >>> 0 < 2 ** 31 ? serial : newest),
    undefined,
  );
}

/** Whether the parent leads to the servers that the zone itself names. */
export async function checkDelegation(
  zone: string,
  servers: readonly Nameserver[],
  { resolver, clock }: DelegationNeeds,
  signal: AbortSignal,
): Promise<DnsFinding> {
  const about = 'delegation';
  const above = await delegatedTo(zone, { resolver, clock }, signal);
  const own = servers.map(({ server }) => server).toSorted();
  if (above === undefined)
    return {
      about,
      level: 'unknown',
      message: `the servers above ${zone} do not say where it is delegated to`,
    };
  const stale = above.filter((server) => !own.includes(server));
  const missing = own.filter((server) => !above.includes(server));
  if (stale.length === 0 && missing.length === 0)
    return { about, level: 'fine', message: `its parent leads to ${own.join(', ')}` };
  const words = [
    ...(stale.length === 0 ? [] : [`its parent leads to ${stale.join(', ')}, which the zone does not name`]),
    ...(missing.length === 0
      ? []
      : [`the zone names ${missing.join(', ')}, to which its parent does not lead`]),
  ];
  return {
    about,
    level: 'amiss',
    message: `${words.join('; ')}. Make the nameservers at the registrar and the NS records of ${zone} the same.`,
  };
}

/** undefined: nobody above the zone can be asked, or the same servers hold both. */
async function delegatedTo(
  zone: string,
  { resolver, clock }: DelegationNeeds,
  signal: AbortSignal,
): Promise<readonly string[] | undefined> {
  for (let parent = parentOf(zone); parent !== undefined; parent = parentOf(parent)) {
    const above = await findNameservers(parent, resolver, signal).catch(() => undefined);
    signal.throwIfAborted();
    if (above === undefined) continue;
    for (const address of above.value.flatMap(({ addresses }) => addresses)) {
      const ask = query(address, { name: zone, type: 'NS' }, { clock, signal, timeoutMs });
      const reply = await ask.catch(() => undefined);
      if (reply === undefined) continue;
      const records = reply.aa ? reply.answers : reply.authorities;
      const names = records.flatMap((one) => (one.type === 'NS' && one.name === zone ? [one.value] : []));
      if (names.length > 0) return names.toSorted();
    }
    return undefined;
  }
  return undefined;
}
