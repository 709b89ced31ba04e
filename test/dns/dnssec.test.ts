import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type Answer, decode, encode } from 'dns-packet';
import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { checkDnssec } from '../../src/dns/dnssec.ts';
import { createResolver, parseServer } from '../../src/dns/resolver.ts';
import { never } from './stage.ts';

const zone = 'signed.test';
const authoritative = 1 << 10;
const authentic = 1 << 5;
const checkingDisabled = 1 << 4;
const servfail = 2;

/** The key of RFC 4034 §5.4, whose tag is 60485. */
const key: Answer = {
  ...{ type: 'DNSKEY', name: zone, ttl: 60 },
  data: {
    flags: 256,
    algorithm: 5,
    key: Buffer.from(
      'AQOeiiR0GOMYkDshWoSKz9XzfwJr1AYtsmx3TGkJaNXVbfi/2pHm822aJ5iI9BMzNXxeYCmZDRD99WYwYqUSdjMmmAphXdvxegXd/M5+X7OrzKBaMbCVdFLUUh6DhweJBjEVv5f2wwjM9XzcnOf+EPbtG9DMBmADjFDc2w/rljwvFw==',
      'base64',
    ),
  },
};

interface Scene {
  /** Key tags of the DS records at the parent. */
  readonly ds?: readonly number[];
  readonly hasKey?: boolean;
  /** What a resolver says that checks signatures; absent: it checks none. */
  readonly checked?: 'right' | 'wrong';
}

/** Resolver and nameserver of one zone. */
async function look({ ds = [], hasKey = false, checked }: Scene) {
  const socket = createSocket('udp4');
  socket.on('message', (message, peer) => {
    const query = decode(message);
    const [question] = query.questions ?? [];
    if (question === undefined) return;
    const isChecked = ((query.flags ?? 0) & checkingDisabled) === 0 && (query.flags ?? 0) >= 256;
    const isBogus = checked === 'wrong' && isChecked;
    const soa = { mname: 'ns', rname: 'admin', serial: 1, refresh: 1, retry: 1, expire: 1, minimum: 1 };
    const answers: Record<string, Answer[]> = {
      SOA: [{ type: 'SOA', name: zone, ttl: 60, data: soa }],
      DNSKEY: hasKey ? [key] : [],
      DS: ds.map((keyTag) => ({
        ...{ type: 'DS' as const, name: zone, ttl: 60 },
        data: { keyTag, algorithm: 5, digestType: 2, digest: Buffer.alloc(32) },
      })),
    };
    const flags = authoritative | (checked === 'right' ? authentic : 0) | (isBogus ? servfail : 0);
    const reply = { type: 'response' as const, id: query.id, flags, questions: [question] };
    const found = isBogus ? [] : (answers[question.type] ?? []);
    socket.send(encode({ ...reply, answers: found }), peer.port, peer.address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  onTestFinished(() => void socket.close());
  const address = `127.0.0.1:${socket.address().port}`;
  const resolver = createResolver({ servers: [address] }, { clock: systemClock });
  const servers = [{ server: 'ns1.signed.test', addresses: [parseServer(address)] }];
  return checkDnssec({ zone, servers }, { resolver, clock: systemClock }, never);
}

test('a zone without DS at its parent is not signed, whatever keys it has', async () => {
  expect(await look({ hasKey: true })).toEqual({
    level: 'fine',
    message: 'not signed: its parent has no DS record',
  });
});

test('a DS record without a key in the zone is amiss, with what to do', async () => {
  const found = await look({ ds: [60485] });
  expect(found.level).toBe('amiss');
  expect(found.message).toContain('The parent of signed.test has DS records, but the zone has no DNSKEY');
  expect(found.message).toContain('Remove the DS records (key tags 60485) at the registrar');
});

test('a DS record of another key is amiss', async () => {
  const found = await look({ ds: [1234], hasKey: true });
  expect(found).toMatchObject({ level: 'amiss' });
  expect(found.message).toContain('No DNSKEY of signed.test (key tags 60485)');
});

test('what a checking resolver refuses, and gives unchecked, is bogus', async () => {
  const found = await look({ ds: [60485], hasKey: true, checked: 'wrong' });
  expect(found).toMatchObject({ level: 'amiss' });
  expect(found.message).toContain('signatures of signed.test are wrong or have expired');
});

test('a zone whose signatures were checked is fine; unchecked, nobody can say', async () => {
  expect(await look({ ds: [60485], hasKey: true, checked: 'right' })).toMatchObject({ level: 'fine' });
  expect(await look({ ds: [60485], hasKey: true })).toMatchObject({ level: 'unknown' });
});
