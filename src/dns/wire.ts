import { randomInt } from 'node:crypto';
import { AUTHENTIC_DATA, CHECKING_DISABLED, encode, RECURSION_DESIRED } from 'dns-packet';
import { AgentError, isAgentError } from '../core/errors.ts';
import { type DnsReply, plainName, rcodeOf, readReply, tryDecode } from './reply.ts';
import { type DnsServer, type ExchangeOptions, exchangeTcp, exchangeUdp } from './socket.ts';

export type QueryType = 'A' | 'AAAA' | 'CAA' | 'CNAME' | 'DNSKEY' | 'DS' | 'NS' | 'SOA' | 'TXT';

export interface DnsQuestion {
  /** Without trailing dot; the root is '.'. */
  readonly name: string;
  readonly type: QueryType;
}

export interface QueryOptions extends ExchangeOptions {
  /** Recursion desired; default false, which is what authoritative servers are asked with. */
  readonly rd?: boolean | undefined;
  /** Of a resolver: tell: whether it checked signatures · ignore: it shall answer also where they are wrong. */
  readonly signatures?: 'tell' | 'ignore' | undefined;
}

export interface SendOptions extends ExchangeOptions {
  /** auto: UDP up to 512 octets, TCP above and when the answer was truncated. */
  readonly transport: 'auto' | 'udp' | 'tcp';
  /** What is sent, for messages: "the query for example.com TXT". */
  readonly about: string;
  /** More checks of an answer than id and direction; a UDP answer that fails is ignored as forged. */
  readonly accepts?: ((reply: Buffer) => boolean) | undefined;
}

/** One TXT value to add or to remove; the other values at the name stay (RFC 2136 §2.5). */
export interface TxtUpdate {
  readonly op: 'add' | 'remove';
  readonly name: string;
  readonly value: string;
  /** Seconds; of no meaning for a remove. */
  readonly ttl: number;
}

const typeSoa = 6;
const typeTxt = 16;
const classIn = 1;
const classNone = 254;
const opcodeUpdate = 5 << 11;

const signatureFlags = { tell: AUTHENTIC_DATA, ignore: CHECKING_DISABLED };

/** Small enough to pass every path unfragmented. */
const udpPayloadSize = 1232;

/**
 * Asks one server one question: UDP, then TCP when the answer is truncated. Rejects with `dns.query` when there is no
 * usable answer (the message names server and question), or with the signal's reason.
 */
export async function query(
  server: DnsServer,
  question: DnsQuestion,
  options: QueryOptions,
): Promise<DnsReply> {
  const ask = async (edns: boolean) => {
    const message = encodeQuery(question, { rd: options.rd === true, edns, signatures: options.signatures });
    const { reply } = await sendMessage(server, message, {
      ...options,
      transport: 'auto',
      about: `the query for ${question.name} ${question.type}`,
      accepts: (message) => answersTo(question, message),
    });
    return readReply(reply);
  };
  const reply = await ask(true);
  // Servers older than EDNS say so in this way (RFC 6891 §7).
  return reply.rcode === 'FORMERR' ? ask(false) : reply;
}

/** Sends a whole message (octets 0–1 are its random id) and gives the raw answer with that id. Errors as `query`. */
export async function sendMessage(
  server: DnsServer,
  message: Uint8Array,
  options: SendOptions,
): Promise<{ readonly reply: Buffer; readonly rcode: string }> {
  const accepts = (reply: Buffer) =>
    isReplyTo(message, reply) && (options.accepts === undefined || options.accepts(reply));
  try {
    if (options.transport === 'udp' || (options.transport === 'auto' && message.length <= 512)) {
      const reply = await exchangeUdp(server, message, { ...options, accepts });
      if (!isTruncated(reply) || options.transport === 'udp') return { reply, rcode: rcodeOf(reply) };
    }
    const reply = await exchangeTcp(server, message, options);
    if (!accepts(reply)) throw new Error('the answer does not belong to the question');
    return { reply, rcode: rcodeOf(reply) };
  } catch (error) {
    if (options.signal.aborted) throw options.signal.reason;
    throw new AgentError(
      'dns.query',
      `${describeServer(server)} did not answer ${options.about}: ${reasonOf(error)}`,
      { facts: { server: server.address, port: server.port ?? 53 }, cause: error },
    );
  }
}

/** An unsigned UPDATE message (RFC 2136) with a random id; all of it is done or nothing. */
export function encodeUpdate(zone: string, updates: readonly TxtUpdate[]): Buffer {
  const header = uint16(randomInt(0x10000), opcodeUpdate, 1, 0, updates.length, 0);
  const section = Buffer.concat([encodeName(zone), uint16(typeSoa, classIn)]);
  return Buffer.concat([header, section, ...updates.map(encodeTxtUpdate)]);
}

/** Octets that a change adds to an UPDATE message. */
export function sizeOfUpdate(update: TxtUpdate): number {
  return encodeTxtUpdate(update).length;
}

/** Uncompressed and in lower case, the canonical form that signatures cover. */
export function encodeName(name: string): Buffer {
  const labels = name
    .toLowerCase()
    .split('.')
    .filter((label) => label !== '');
  const parts = labels.flatMap((label) => [Buffer.from([Buffer.byteLength(label)]), Buffer.from(label)]);
  return Buffer.concat([...parts, Buffer.from([0])]);
}

export function uint16(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 2);
  values.forEach((value, index) => {
    bytes.writeUInt16BE(value, index * 2);
  });
  return bytes;
}

export function describeServer(server: DnsServer): string {
  const address = server.address.includes(':') ? `[${server.address}]` : server.address;
  return `DNS server ${address}:${server.port ?? 53}`;
}

/** `rd`: for a server that resolves on behalf of others. */
export function encodeQuery(
  question: DnsQuestion,
  { rd, edns, signatures }: Pick<QueryOptions, 'signatures'> & { rd: boolean; edns: boolean },
): Buffer {
  const options = { extendedRcode: 0, ednsVersion: 0, flags: 0, flag_do: false, options: [] };
  return encode({
    type: 'query',
    id: randomInt(0x10000),
    flags: (rd ? RECURSION_DESIRED : 0) | (signatures === undefined ? 0 : signatureFlags[signatures]),
    questions: [{ name: question.name, type: question.type, class: 'IN' }],
    additionals: edns ? [{ type: 'OPT', name: '.', udpPayloadSize, ...options }] : [],
  });
}

function encodeTxtUpdate({ op, name, value, ttl }: TxtUpdate): Buffer {
  const rdata = encodeStrings(value);
  const ttlBytes = Buffer.alloc(4);
  ttlBytes.writeUInt32BE(op === 'add' ? ttl : 0);
  const start = uint16(typeTxt, op === 'add' ? classIn : classNone);
  return Buffer.concat([encodeName(name), start, ttlBytes, uint16(rdata.length), rdata]);
}

/** Character strings of at most 255 octets each; at least one. */
function encodeStrings(value: string): Buffer {
  const bytes = Buffer.from(value);
  const strings: Buffer[] = [];
  for (let start = 0; start === 0 || start < bytes.length; start += 255) {
    const part = bytes.subarray(start, start + 255);
    strings.push(Buffer.from([part.length]), part);
  }
  return Buffer.concat(strings);
}

function isReplyTo(message: Uint8Array, reply: Buffer): boolean {
  return (
    reply.length >= 12 && reply[0] === message[0] && reply[1] === message[1] && ((reply[2] ?? 0) & 0x80) !== 0
  );
}

function isTruncated(reply: Buffer): boolean {
  return ((reply[2] ?? 0) & 0x02) !== 0;
}

/** Whether a message answers this question; an empty one that only says that something is wrong does. */
export function answersTo(question: DnsQuestion, message: Buffer): boolean {
  const asked = tryDecode(message)?.questions?.[0];
  // Some servers leave the question out of an answer that only says FORMERR or REFUSED.
  if (asked === undefined) return rcodeOf(message) !== 'NOERROR' && rcodeOf(message) !== 'NXDOMAIN';
  return asked.type === question.type && plainName(asked.name) === plainName(question.name);
}

/** Why there was no answer, in a word or a few. */
export function reasonOf(error: unknown): string {
  if (isAgentError(error, 'dns.query') && error.cause !== undefined) return reasonOf(error.cause);
  if (!(error instanceof Error)) return String(error);
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message;
}
