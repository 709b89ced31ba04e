import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { type Answer, decode, encode, type Question } from 'dns-packet';
import type { RrSet, RrType, ZoneStore } from './zone-store.ts';

export interface DnsFront {
  readonly address: string;
  readonly port: number;
  /** Every question that came in, oldest first: `example.test TXT udp`. */
  readonly queries: readonly string[];
  stop(): Promise<void>;
}

interface Reply {
  readonly rcode: number;
  readonly aa: boolean;
  readonly answers: Answer[];
  readonly authorities: Answer[];
}

const authoritative = 1 << 10;
const truncated = 1 << 9;
const recursionDesired = 1 << 8;
const maxChainLength = 10;

/**
 * An authoritative DNS server on 127.0.0.1, UDP and TCP, for everything the store publishes; CNAMEs are followed
 * within the store, other names are REFUSED.
 */
export async function startDnsFront(store: ZoneStore, options: { port?: number } = {}): Promise<DnsFront> {
  const queries: string[] = [];
  const tcp = createServer();
  const udp = createSocket('udp4');
  const connections = new Set<Socket>();
  udp.on('message', (message, peer) => {
    const reply = answer(store, message, { queries, transport: 'udp' });
    if (reply !== undefined) udp.send(reply, peer.port, peer.address);
  });
  tcp.on('connection', (socket) => {
    connections.add(socket);
    socket.on('close', () => connections.delete(socket));
    socket.on('error', () => socket.destroy());
    serveTcp(socket, (message) => answer(store, message, { queries, transport: 'tcp' }));
  });
  const port = await bindBoth(tcp, udp, options.port ?? 0);
  return {
    address: '127.0.0.1',
    port,
    queries,
    async stop() {
      for (const socket of connections) socket.destroy();
      const closed = Promise.all([once(tcp, 'close'), once(udp, 'close')]);
      tcp.close();
      udp.close();
      await closed;
    },
  };
}

/** The same free port for both transports. */
async function bindBoth(
  tcp: ReturnType<typeof createServer>,
  udp: ReturnType<typeof createSocket>,
  wanted: number,
): Promise<number> {
  for (let attempt = 0; ; attempt++) {
    tcp.listen(wanted, '127.0.0.1');
    await once(tcp, 'listening');
    const { port } = tcp.address() as AddressInfo;
    udp.bind(port, '127.0.0.1');
    try {
      await once(udp, 'listening');
      return port;
    } catch (error) {
      tcp.close();
      await once(tcp, 'close');
      if (attempt === 20 || wanted !== 0) throw error;
    }
  }
}

function serveTcp(socket: Socket, reply: (message: Buffer) => Buffer | undefined): void {
  let received: Buffer = Buffer.alloc(0);
  socket.on('data', (chunk) => {
    received = Buffer.concat([received, chunk]);
    while (received.length >= 2 && received.length >= received.readUInt16BE(0) + 2) {
      const end = received.readUInt16BE(0) + 2;
      const message = reply(received.subarray(2, end));
      received = received.subarray(end);
      if (message === undefined) continue;
      const length = Buffer.alloc(2);
      length.writeUInt16BE(message.length);
      socket.write(Buffer.concat([length, message]));
    }
  });
}

function answer(
  store: ZoneStore,
  message: Buffer,
  call: { queries: string[]; transport: 'udp' | 'tcp' },
): Buffer | undefined {
  const query = decode(message);
  const question = query.questions?.[0];
  if (question === undefined) return undefined;
  call.queries.push(`${question.name} ${question.type} ${call.transport}`);
  const edns = query.additionals?.find((record) => record.type === 'OPT');
  const limit = call.transport === 'tcp' ? 65535 : Math.max(512, edns?.udpPayloadSize ?? 512);
  const reply = resolve(store, question);
  const flags = ((query.flags ?? 0) & recursionDesired) | (reply.aa ? authoritative : 0) | reply.rcode;
  const header = { type: 'response' as const, id: query.id, questions: [question] };
  const { answers, authorities } = reply;
  const full = encode({ ...header, flags, answers, authorities });
  return full.length <= limit ? full : encode({ ...header, flags: flags | truncated });
}

function resolve(store: ZoneStore, question: Question): Reply {
  const type = question.type as RrType;
  const answers: Answer[] = [];
  let name = question.name;
  for (let hop = 0; hop < maxChainLength; hop++) {
    const zone = store.zoneOf(name);
    if (zone === undefined) return { rcode: hop === 0 ? 5 : 0, aa: hop > 0, answers, authorities: [] };
    const found = store.published(name, type);
    if (found !== undefined) {
      return { rcode: 0, aa: true, answers: [...answers, ...toAnswers(found)], authorities: [] };
    }
    const alias = store.published(name, 'CNAME');
    if (alias === undefined) {
      const soa = store.published(zone, 'SOA');
      return {
        rcode: store.publishes(name) ? 0 : 3,
        aa: true,
        answers,
        authorities: soa === undefined ? [] : toAnswers(soa),
      };
    }
    answers.push(...toAnswers(alias));
    name = alias.values[0] ?? '';
  }
  return { rcode: 2, aa: true, answers, authorities: [] };
}

function toAnswers({ name, type, ttl, values }: RrSet): Answer[] {
  return values.map((value): Answer => {
    switch (type) {
      case 'TXT':
        return { name, ttl, type, data: splitStrings(value) };
      case 'CAA': {
        const [flags, tag, text = ''] = value.split(' ');
        return {
          name,
          ttl,
          type,
          data: { flags: Number(flags), tag: tag as 'issue', value: text.replaceAll('"', '') },
        };
      }
      case 'SOA': {
        const [mname = '', rname = '', ...numbers] = value.split(' ');
        const [serial, refresh, retry, expire, minimum] = numbers.map(Number);
        return { name, ttl, type, data: { mname, rname, serial, refresh, retry, expire, minimum } };
      }
      default:
        return { name, ttl, type, data: value };
    }
  });
}

function splitStrings(value: string): Buffer[] {
  const bytes = Buffer.from(value);
  const strings = [];
  for (let start = 0; start < bytes.length || start === 0; start += 255) {
    strings.push(bytes.subarray(start, start + 255));
  }
  return strings;
}
