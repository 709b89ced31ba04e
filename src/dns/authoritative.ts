import { AgentError } from '../core/errors.ts';
import type { Ports } from '../core/ports.ts';
import type { Instant } from '../core/types.ts';
import { orAborted } from '../core/wait.ts';
import { createCache, type Fresh } from './cache.ts';
import type { DnsReply } from './reply.ts';
import { parseServer, type RecursiveResolver } from './resolver.ts';
import type { DnsServer } from './socket.ts';
import { describeServer, query } from './wire.ts';

/** What one nameserver of a zone says about a name. */
export interface View {
  /** Host name, or address where it was configured as such. */
  readonly server: string;
  /** TXT values by each of its addresses that answered with authority; empty: unreachable or lame. */
  readonly seen: readonly ReadonlySet<string>[];
}

export interface Authoritative {
  /**
   * Asks every address of every nameserver of the zone itself (RD=0), never a resolver: a resolver would remember that
   * the record was not there yet. `override`: addresses to ask instead of those that NS leads to.
   * Throws `dns.query` when the nameservers cannot be learnt.
   */
  look(
    target: {
      readonly zone: string;
      readonly name: string;
      readonly override?: readonly string[] | undefined;
    },
    signal: AbortSignal,
  ): Promise<readonly View[]>;
}

export interface Nameserver {
  readonly server: string;
  readonly addresses: readonly DnsServer[];
}

const nameserversMs = 5 * 60_000;
const timeoutMs = 2000;
/** A dead address costs its time-out once in this time, not with every look. */
const silenceMs = 30_000;

export function createAuthoritative({
  resolver,
  clock,
  closing,
}: Pick<Ports, 'clock'> & {
  readonly resolver: RecursiveResolver;
  readonly closing: AbortSignal;
}): Authoritative {
  const nameservers = createCache<readonly Nameserver[]>(clock);
  const looks = createCache<readonly View[]>(clock);
  const silentUntil = new Map<string, Instant>();

  async function lookNow(zone: string, name: string, override: readonly string[]): Promise<View[]> {
    const servers =
      override.length > 0
        ? override.map((text) => ({ server: text, addresses: [parseServer(text)] }))
        : await nameservers.get(zone, () => findNameservers(zone, resolver, closing));
    return Promise.all(
      servers.map(async ({ server, addresses }) => {
        const seen = await Promise.all(addresses.map((address) => askOne(address, name)));
        return { server, seen: seen.flatMap((values) => values ?? []) };
      }),
    );
  }

  async function askOne(address: DnsServer, name: string): Promise<ReadonlySet<string> | undefined> {
    const key = describeServer(address);
    const until = silentUntil.get(key);
    if (until !== undefined && clock.now() < until) return undefined;
    silentUntil.delete(key);
    try {
      const reply = await query(address, { name, type: 'TXT' }, { clock, signal: closing, timeoutMs });
      return valuesIn(reply);
    } catch {
      silentUntil.set(key, clock.now() + silenceMs);
      return undefined;
    }
  }

  return {
    look({ zone, name, override = [] }, signal) {
      // No time to live: only those who look at the same moment share one look.
      const load = async () => ({ value: await lookNow(zone, name, override), ttlMs: 0 });
      return orAborted(looks.get(`${zone}|${name}|${override.join()}`, load), signal);
    },
  };
}

/** As the DNS names them, with their addresses. Throws `dns.query` when there are none. */
export async function findNameservers(
  zone: string,
  resolver: RecursiveResolver,
  signal: AbortSignal,
): Promise<Fresh<readonly Nameserver[]>> {
  const { answers } = await resolver.ask({ name: zone, type: 'NS' }, signal);
  const hosts = answers.flatMap((record) =>
    record.type === 'NS' && record.name === zone ? [record.value] : [],
  );
  if (hosts.length === 0)
    throw new AgentError('dns.query', `the DNS names no nameservers for the zone ${zone}`, {
      facts: { zone },
      advice:
        'Delegate the zone at the registrar, or declare the one that is delegated under "zones" of its account.',
    });
  const value = await Promise.all(
    hosts.map(async (server) => ({ server, addresses: await addressesOf(server, resolver, signal) })),
  );
  return { value, ttlMs: nameserversMs };
}

/** A nameserver whose own name does not resolve counts as unreachable. */
async function addressesOf(
  host: string,
  resolver: RecursiveResolver,
  signal: AbortSignal,
): Promise<readonly DnsServer[]> {
  try {
    return (await resolver.addresses(host, signal)).map(parseServer);
  } catch (error) {
    if (signal.aborted) throw error;
    return [];
  }
}

/** undefined: a lame answer, as good as none. */
function valuesIn({ rcode, aa, answers }: DnsReply): ReadonlySet<string> | undefined {
  if (!aa || (rcode !== 'NOERROR' && rcode !== 'NXDOMAIN')) return undefined;
  return new Set(answers.flatMap((record) => (record.type === 'TXT' ? [record.value] : [])));
}
