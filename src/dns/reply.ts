import { type Answer, type DecodedPacket, decode } from 'dns-packet';

/** Names in lower case without trailing dot (root: '.'). Records of other types are left out. */
export type DnsRecord = { readonly name: string; readonly ttl: number } & (
  | { readonly type: 'A' | 'AAAA' | 'CNAME' | 'NS'; readonly value: string }
  /** The character strings of one record, joined. */
  | { readonly type: 'TXT'; readonly value: string }
  | { readonly type: 'CAA'; readonly critical: boolean; readonly tag: string; readonly value: string }
  | { readonly type: 'SOA'; readonly serial: number }
  | { readonly type: 'DS' | 'DNSKEY'; readonly keyTag: number }
);

export interface DnsReply {
  /** NOERROR, NXDOMAIN, SERVFAIL, REFUSED, NOTIMP …; any rcode is a reply, not an error. */
  readonly rcode: string;
  /** The server speaks for the zone. */
  readonly aa: boolean;
  /** A resolver has checked the signatures (RFC 4035 §3.2.3). */
  readonly ad: boolean;
  readonly answers: readonly DnsRecord[];
  readonly authorities: readonly DnsRecord[];
}

const rcodes = [
  'NOERROR',
  'FORMERR',
  'SERVFAIL',
  'NXDOMAIN',
  'NOTIMP',
  'REFUSED',
  'YXDOMAIN',
  'YXRRSET',
  'NXRRSET',
  'NOTAUTH',
  'NOTZONE',
];

export function rcodeOf(message: Uint8Array): string {
  const code = (message[3] ?? 0) & 0xf;
  return rcodes[code] ?? `RCODE ${code}`;
}

export function readReply(message: Buffer): DnsReply {
  const packet = tryDecode(message);
  return {
    rcode: rcodeOf(message),
    aa: packet?.flag_aa === true,
    ad: packet?.flag_ad === true,
    answers: readRecords(packet?.answers),
    authorities: readRecords(packet?.authorities),
  };
}

/** undefined: the message is malformed. */
export function tryDecode(message: Buffer): DecodedPacket | undefined {
  try {
    return decode(message);
  } catch {
    return undefined;
  }
}

/** As DnsRecord has it. */
export function plainName(name: string): string {
  const lower = name.toLowerCase();
  return lower.length > 1 && lower.endsWith('.') ? lower.slice(0, -1) : lower;
}

function readRecords(answers: readonly Answer[] | undefined): DnsRecord[] {
  return (answers ?? []).flatMap((answer) => {
    const record = readRecord(answer);
    return record === undefined ? [] : [record];
  });
}

function readRecord(answer: Answer): DnsRecord | undefined {
  const name = plainName(answer.name);
  switch (answer.type) {
    case 'A':
    case 'AAAA':
      return { name, ttl: answer.ttl ?? 0, type: answer.type, value: answer.data };
    case 'CNAME':
    case 'NS':
      return { name, ttl: answer.ttl ?? 0, type: answer.type, value: plainName(answer.data) };
    case 'TXT':
      return { name, ttl: answer.ttl ?? 0, type: 'TXT', value: joinStrings(answer.data) };
    case 'CAA': {
      const { issuerCritical, tag, value } = answer.data;
      return { name, ttl: answer.ttl ?? 0, type: 'CAA', critical: issuerCritical === true, tag, value };
    }
    case 'SOA':
      return { name, ttl: answer.ttl ?? 0, type: 'SOA', serial: answer.data.serial ?? 0 };
    case 'DS':
      return { name, ttl: answer.ttl ?? 0, type: 'DS', keyTag: answer.data.keyTag };
    case 'DNSKEY':
      return { name, ttl: answer.ttl ?? 0, type: 'DNSKEY', keyTag: keyTagOf(answer.data) };
    default:
      return undefined;
  }
}

/** RFC 4034 Appendix B: the sum of the record's data by pairs of octets. */
function keyTagOf({ flags, algorithm, key }: { flags: number; algorithm: number; key: Buffer }): number {
  const data = Buffer.concat([Buffer.from([flags >> 8, flags & 0xff, 3, algorithm]), key]);
  let sum = 0;
  for (const [index, octet] of data.entries()) sum += index % 2 === 0 ? octet << 8 : octet;
  return (sum + (sum >> 16)) & 0xffff;
}

function joinStrings(data: string | Buffer | readonly (string | Buffer)[]): string {
  const strings = typeof data === 'string' || Buffer.isBuffer(data) ? [data] : data;
  return Buffer.concat(
    strings.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)),
  ).toString();
}
