import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { encode } from 'dns-packet';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { encodeUpdate, query, sendMessage, sizeOfUpdate } from '../../src/dns/wire.ts';
import { type DnsFront, startDnsFront } from '../support/dns-front.ts';
import { createZoneStore } from '../support/zone-store.ts';

const options = { clock: systemClock, signal: new AbortController().signal };

describe('query', () => {
  const store = createZoneStore();
  const set = { ttl: 60, values: ['target'] };
  let front: DnsFront;
  beforeAll(async () => {
    store.addZone('example.test', {
      records: [
        {
          ...set,
          name: 'txt.example.test',
          type: 'TXT',
          values: ['one', `${'x'.repeat(254)}é${'y'.repeat(100)}`],
        },
        {
          ...set,
          name: 'many.example.test',
          type: 'TXT',
          values: Array.from({ length: 60 }, (_, i) => `${i}`.repeat(20)),
        },
        { ...set, name: 'alias.example.test', type: 'CNAME', values: ['txt.example.test'] },
        { ...set, name: 'caa.example.test', type: 'CAA', values: ['128 issue "ca.test"'] },
        { ...set, name: 'deep.down.example.test', type: 'A', values: ['192.0.2.7'] },
      ],
    });
    front = await startDnsFront(store);
  });
  afterAll(() => front.stop());

  it('joins the strings of each TXT record', async () => {
    const reply = await query(front, { name: 'TXT.example.test', type: 'TXT' }, options);
    expect(reply).toMatchObject({ rcode: 'NOERROR', aa: true });
    expect(reply.answers.map((record) => record.type === 'TXT' && record.value)).toEqual([
      'one',
      `${'x'.repeat(254)}é${'y'.repeat(100)}`,
    ]);
  });

  it('repeats a truncated answer over TCP', async () => {
    const reply = await query(front, { name: 'many.example.test', type: 'TXT' }, options);
    expect(reply.answers).toHaveLength(60);
    expect(front.queries.slice(-2)).toEqual(['many.example.test TXT udp', 'many.example.test TXT tcp']);
  });

  it('gives the start of authority with what does not exist and with what has no such record', async () => {
    const soa = { type: 'SOA', name: 'example.test' };
    const missing = await query(front, { name: 'nowhere.example.test', type: 'TXT' }, options);
    expect(missing).toMatchObject({ rcode: 'NXDOMAIN', answers: [], authorities: [soa] });
    const empty = await query(front, { name: 'down.example.test', type: 'TXT' }, options);
    expect(empty).toMatchObject({ rcode: 'NOERROR', answers: [], authorities: [soa] });
    expect(await query(front, { name: 'example.test', type: 'SOA' }, options)).toMatchObject({
      answers: [soa],
    });
  });

  it('reads aliases, name servers, addresses and CAA records', async () => {
    const ask = async (name: string, type: 'A' | 'CAA' | 'CNAME' | 'NS') =>
      (await query(front, { name, type }, options)).answers;
    expect(await ask('alias.example.test', 'CNAME')).toMatchObject([{ value: 'txt.example.test', ttl: 60 }]);
    expect(await ask('example.test', 'NS')).toMatchObject([{ type: 'NS', value: 'ns1.example.test' }]);
    expect(await ask('deep.down.example.test', 'A')).toMatchObject([{ value: '192.0.2.7' }]);
    expect(await ask('caa.example.test', 'CAA')).toMatchObject([
      { critical: true, tag: 'issue', value: 'ca.test' },
    ]);
  });

  it('gives a refusal as a reply', async () => {
    expect(await query(front, { name: 'elsewhere.test', type: 'TXT' }, options)).toMatchObject({
      rcode: 'REFUSED',
    });
  });

  it('names server and question when nobody listens', async () => {
    const gone = await startDnsFront(store);
    await gone.stop();
    await expect(query(gone, { name: 'txt.example.test', type: 'TXT' }, options)).rejects.toMatchObject({
      code: 'dns.query',
      message: `DNS server 127.0.0.1:${gone.port} did not answer the query for txt.example.test TXT: ECONNREFUSED`,
    });
  });
});

describe('query to a server that', () => {
  it('does not answer gives up at its deadline', async () => {
    const server = await startServer(() => []);
    const asked = query(server, { name: 'example.test', type: 'TXT' }, { ...options, timeoutMs: 1000 });
    await expect(asked).rejects.toMatchObject({ code: 'dns.query', message: /no answer within 1 s/ });
    await expect.poll(() => server.received.length).toBe(2);
  });

  it('does not answer stops at once when aborted', async () => {
    const abort = new AbortController();
    const server = await startServer(() => {
      abort.abort(new Error('stop'));
      return [];
    });
    const asked = query(server, { name: 'example.test', type: 'TXT' }, { ...options, signal: abort.signal });
    await expect(asked).rejects.toThrow(/^stop$/);
  });

  it('is drowned out by forged answers is still heard', async () => {
    const server = await startServer((message) => {
      const id = message.readUInt16BE(0);
      return [
        reply(id ^ 1, 'example.test'),
        reply(id, 'other.test'),
        Buffer.from('noise'),
        reply(id, 'example.test'),
      ];
    });
    const heard = await query(server, { name: 'example.test', type: 'TXT' }, options);
    expect(heard.answers).toMatchObject([{ name: 'example.test', value: 'genuine' }]);
  });

  it('knows no EDNS is asked without it', async () => {
    const server = await startServer((message) => {
      const hasEdns = message.readUInt16BE(10) > 0;
      const id = message.readUInt16BE(0);
      return [hasEdns ? encode({ type: 'response', id, flags: 1 }) : reply(id, 'example.test')];
    });
    expect(await query(server, { name: 'example.test', type: 'TXT' }, options)).toMatchObject({
      rcode: 'NOERROR',
    });
  });
});

describe('sendMessage', () => {
  const add = { op: 'add', name: 'example.test', value: 'x'.repeat(500), ttl: 60 } as const;
  const about = 'an update';

  it('sends more than 512 octets over TCP, unless told to stay with UDP', async () => {
    const server = await startServer((message) => [
      Buffer.concat([message.subarray(0, 2), Buffer.from([0xa8, 5]), Buffer.alloc(8)]),
    ]);
    const message = encodeUpdate('example.test', [add]);
    const sent = sendMessage(server, message, { ...options, about, transport: 'auto' });
    await expect(sent).rejects.toThrow(/ECONNREFUSED/);
    expect(server.received).toEqual([]);
    const overUdp = await sendMessage(server, message, { ...options, about, transport: 'udp' });
    expect(overUdp.rcode).toBe('REFUSED');
  });
});

describe('encodeUpdate', () => {
  it('writes RFC 2136 messages: adds in class IN, removals of one value in class NONE with TTL 0', () => {
    const add = { op: 'add', name: 'A.test', value: 'v', ttl: 60 } as const;
    const message = encodeUpdate('test', [add, { ...add, op: 'remove' }]);
    const zone = '0474657374000006' + '0001';
    const records = [
      '0161047465737400' + '00100001' + '0000003c' + '0002' + '0176',
      '0161047465737400' + '001000fe' + '00000000' + '0002' + '0176',
    ];
    expect(message.toString('hex', 2)).toBe(
      `2800${'0001'}${'0000'}${'0002'}${'0000'}${zone}${records.join('')}`,
    );
    expect(message).toHaveLength(12 + zone.length / 2 + 2 * sizeOfUpdate(add));
  });
});

function reply(id: number, name: string): Buffer {
  return encode({
    type: 'response',
    id,
    questions: [{ name, type: 'TXT' }],
    answers: [{ name, type: 'TXT', ttl: 1, data: 'genuine' }],
  });
}

/** A UDP server that answers each datagram with those given. */
async function startServer(answers: (message: Buffer) => readonly Buffer[]) {
  const socket: Socket = createSocket('udp4');
  const received: Buffer[] = [];
  socket.on('message', (message, peer) => {
    received.push(message);
    for (const answer of answers(message)) socket.send(answer, peer.port, peer.address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  onTestFinished(() => {
    socket.close();
  });
  return { address: '127.0.0.1', port: socket.address().port, received };
}
