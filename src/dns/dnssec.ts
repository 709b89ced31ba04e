import type { DnsFinding } from '../core/dns-care.ts';
import type { Ports } from '../core/ports.ts';
import type { Nameserver } from './authoritative.ts';
import type { DnsReply } from './reply.ts';
import type { RecursiveResolver } from './resolver.ts';
import { query } from './wire.ts';

export interface DnssecNeeds extends Pick<Ports, 'clock'> {
  readonly resolver: RecursiveResolver;
}

type Verdict = Omit<DnsFinding, 'about'>;

const timeoutMs = 2000;

/** Whether signatures keep a CA from seeing what stands in the zone (RFC 4035). */
export async function checkDnssec(
  { zone, servers }: { readonly zone: string; readonly servers: readonly Nameserver[] },
  { resolver, clock }: DnssecNeeds,
  signal: AbortSignal,
): Promise<Verdict> {
  const soa = { name: zone, type: 'SOA' } as const;
  const ask = (signatures: 'tell' | 'ignore') => resolver.each(soa, { signatures }, signal);
  const [checked, unchecked, ds, keys] = await Promise.all([
    ask('tell'),
    ask('ignore'),
    resolver.each({ name: zone, type: 'DS' }, { signatures: 'ignore' }, signal),
    keysOf(zone, servers, { clock, signal }),
  ]);
  const anchors = tagsIn(ds, 'DS');
  if (anchors.length === 0) return { level: 'fine', message: 'not signed: its parent has no DS record' };
  const mend = `Remove the DS records (key tags ${anchors.join(', ')}) at the registrar, or sign the zone with their keys.`;
  if (keys?.length === 0)
    return {
      level: 'amiss',
      message: `The parent of ${zone} has DS records, but the zone has no DNSKEY: every CA refuses its answers. ${mend}`,
    };
  if (keys !== undefined && !anchors.some((tag) => keys.includes(tag)))
    return {
      level: 'amiss',
      message: `No DNSKEY of ${zone} (key tags ${keys.join(', ')}) is one that its parent has a DS record for: every CA refuses its answers. ${mend}`,
    };
  if (isBogus(checked, unchecked))
    return {
      level: 'amiss',
      message: `The signatures of ${zone} are wrong or have expired: a resolver that checks them answers SERVFAIL, and so does every CA. Sign the zone anew, or remove its DS records at the registrar.`,
    };
  if (checked.some(({ ad }) => ad)) return { level: 'fine', message: 'signed, and the signatures are right' };
  return {
    level: 'unknown',
    message: 'signed; the resolver here does not check signatures, so nobody can say whether they are right',
  };
}

/** undefined: no nameserver can be asked. */
async function keysOf(
  zone: string,
  servers: readonly Nameserver[],
  options: { readonly clock: DnssecNeeds['clock']; readonly signal: AbortSignal },
): Promise<readonly number[] | undefined> {
  const replies = await Promise.all(
    servers
      .flatMap(({ addresses }) => addresses)
      .map((address) =>
        query(address, { name: zone, type: 'DNSKEY' }, { ...options, timeoutMs }).catch(() => undefined),
      ),
  );
  const known = replies.filter((reply) => reply?.aa === true && reply.rcode === 'NOERROR');
  return known.length === 0 ? undefined : tagsIn(known, 'DNSKEY');
}

function tagsIn(replies: readonly (DnsReply | undefined)[], type: 'DS' | 'DNSKEY'): readonly number[] {
  const records = replies.flatMap((reply) => reply?.answers ?? []);
  return [...new Set(records.flatMap((record) => (record.type === type ? [record.keyTag] : [])))];
}

/** It answers as soon as signatures do not count. */
function isBogus(checked: readonly DnsReply[], unchecked: readonly DnsReply[]): boolean {
  const refuses = checked.some(({ rcode }) => rcode === 'SERVFAIL');
  return refuses && unchecked.some(({ rcode }) => rcode === 'NOERROR');
}
