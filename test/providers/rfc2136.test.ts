import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rfc2136 } from '../../providers/rfc2136.ts';
import { systemClock } from '../../src/clock.ts';
import { query } from '../../src/dns/wire.ts';
import { describeProvider } from '../contract/dns-provider.ts';
import type { ProviderUnderTest } from '../contract/subject.ts';
import { type BindOptions, startBind, type TestBind } from '../support/bind.ts';
import { hasServer } from '../support/fetch/index.ts';
import { startKnot } from '../support/knot.ts';
import { createPluginContext, hastyClock } from '../support/plugin-context.ts';
import { hasPowerdns, startPowerdns } from '../support/powerdns.ts';
import { type Relay, startRelay } from '../support/relay.ts';

const signal = new AbortController().signal;
const zone = { name: 'example.test' };
const owner = '_acme-challenge.example.test';
const add = { op: 'add', name: owner, value: 'digest', ttl: 60 } as const;

const shared = {
  listTxt: 'DNS has no query for the names of a zone but a transfer',
  throttleOnce: 'DNS servers do not limit updates',
  denyRights: 'the server keeps its rights as long as it runs',
  failOnce: 'the server does not fail by order',
  large: 'DNS UPDATE reads no lists',
};

describe.skipIf(!hasServer('knotd'))('with Knot', () => {
  describeProvider('rfc2136 on Knot', {
    traits: rfc2136.traits,
    setup: () => setup(startKnot, ['aliases', 'withWrongCredentials']),
    notApplicable: {
      ...shared,
      aliases: 'it follows no CNAME from one of its zones to another',
      withWrongCredentials: 'it looks at the key only in changes of a zone, so that the check cannot tell',
    },
  });

  it('tells a wrong key by the first change', async () => {
    const knot = await startKnot({ zones: ['example.test'] });
    const provider = await create(knot, {
      tsig: { ...knot.tsig, secret: randomBytes(32).toString('base64') },
    });
    await expect(provider.apply(zone, [add], signal)).rejects.toMatchObject({ code: 'provider.auth' });
    await knot.stop();
  });
});

describe.skipIf(!hasPowerdns())('with PowerDNS', () => {
  describeProvider('rfc2136 on PowerDNS', {
    traits: rfc2136.traits,
    setup: () => setup(startPowerdns, ['withWrongCredentials']),
    notApplicable: {
      ...shared,
      withWrongCredentials: 'it answers REFUSED for a wrong key as for a right one without rights',
    },
  });
});

describe.skipIf(!hasServer('named'))('with BIND', () => {
  describeProvider('rfc2136', {
    traits: rfc2136.traits,
    setup: () => setup(startBind, []),
    notApplicable: shared,
    slow: true,
  });

  describe('rfc2136', () => {
    let bind: TestBind;
    beforeAll(async () => {
      bind = await startBind({
        zones: ['example.test'],
        records: [
          'alias.example.test. 60 IN CNAME www.elsewhere.test.',
          'away.example.test. 60 IN NS ns.elsewhere.test.',
        ],
      });
    });
    afterAll(() => bind.stop());

    it('says which of name, secret and clock the server refuses', async () => {
      const key = { ...bind.tsig, secret: randomBytes(32).toString('base64') };
      const late = { ...systemClock, now: () => systemClock.now() - 600_000 };
      const apply = async (tsig: object, clock = systemClock) =>
        (await create(bind, { tsig }, clock)).apply(zone, [add], signal);
      await expect(apply(key)).rejects.toMatchObject({
        code: 'provider.auth',
        message: /another secret for key acme-key/,
      });
      await expect(apply({ ...bind.tsig, name: 'other' })).rejects.toThrow(
        /has no key other with algorithm hmac-sha256/,
      );
      await expect(apply(bind.tsig, late)).rejects.toThrow(
        /clocks .* differ by (599|600|601) s; synchronise them/,
      );
    });

    it('says that the key has no right to the change, and harms nothing', async () => {
      const unsigned = await create(bind, { tsig: undefined });
      await expect(unsigned.apply(zone, [add], signal)).rejects.toMatchObject({ code: 'provider.forbidden' });
    });

    it('says that the server does not answer', async () => {
      const gone = await startRelay(bind.port);
      await gone.stop();
      const provider = await create(gone, { tsig: bind.tsig });
      await expect(provider.apply(zone, [add], signal)).rejects.toMatchObject({
        code: 'provider.unavailable',
        message: /127\.0\.0\.1:\d+ did not answer an update of zone example\.test: ECONNREFUSED/,
      });
    });

    it('finds the zone of a name that is an alias to somewhere else', async () => {
      expect(await (await create(bind)).findZone?.('alias.example.test', signal)).toEqual(zone);
    });

    it('does not take the zone above for one that is delegated to other servers', async () => {
      const provider = await create(bind);
      expect(await provider.findZone?.('_acme-challenge.away.example.test', signal)).toBeUndefined();
    });

    it('reaches a server by host name, over TCP alone and over UDP alone', async () => {
      for (const transport of ['tcp', 'udp']) {
        const provider = await create(bind, { server: `localhost:${bind.port}`, transport });
        await provider.apply(zone, [add], signal);
        await provider.apply(zone, [{ ...add, op: 'remove' }], signal);
      }
    });
  });
});

describe('options of rfc2136', () => {
  it.each(['192.0.2.1', '192.0.2.1:5353', 'ns1.example.com', '[2001:db8::1]:53', '2001:db8::1'])(
    'take the server %s',
    (server) => {
      expect(rfc2136.options.safeParse({ server }).success).toBe(true);
    },
  );

  it.each(['', 'ns1.example.com:0', 'a:b:c', 'ns1:99999'])('refuse the server "%s"', (server) => {
    expect(rfc2136.options.safeParse({ server }).success).toBe(false);
  });

  it('refuse a key that is not base64 without showing it', () => {
    const parsed = rfc2136.options.safeParse({ server: 'ns1', tsig: { name: 'k', secret: 'not base64!' } });
    expect(parsed.error?.message).toMatch(/base64/);
    expect(parsed.error?.message).not.toMatch(/not base64!/);
  });
});

async function create(
  server: { port: number; tsig?: TestBind['tsig'] } | Relay,
  more: object = {},
  clock = systemClock,
) {
  const options = rfc2136.options.parse({
    server: `127.0.0.1:${server.port}`,
    tsig: 'tsig' in server ? server.tsig : undefined,
    ...more,
  });
  return rfc2136.create(options, createPluginContext('bind', clock));
}

/** `absent`: parts that this server cannot have. */
async function setup(
  start: (options: BindOptions) => Promise<Pick<TestBind, 'address' | 'port' | 'tsig' | 'zoneText' | 'stop'>>,
  absent: readonly (keyof ProviderUnderTest)[],
): Promise<ProviderUnderTest> {
  const server = await start({
    zones: ['example.test', 'sub.example.test'],
    records: [
      'example.test. 60 IN A 127.0.0.1',
      '_acme-challenge.foreign.example.test. 60 IN CAA 0 issue "ca.test"',
      '_acme-challenge.delegated.example.test. 60 IN CNAME second.example.test.',
      'second.example.test. 60 IN CNAME third.example.test.',
      'third.example.test. 60 IN CNAME proofs.sub.example.test.',
      '_acme-challenge.loop.example.test. 60 IN CNAME back.example.test.',
      'back.example.test. 60 IN CNAME _acme-challenge.loop.example.test.',
    ],
  });
  const relay = await startRelay(server.port);
  const provider = await create(relay, { tsig: server.tsig }, hastyClock);
  const [again, wrong] = [
    await create(server),
    await create(relay, { tsig: { ...server.tsig, secret: randomBytes(32).toString('base64') } }),
  ];
  const ask = async (name: string) => {
    const at = { address: '127.0.0.1', port: server.port };
    const reply = await query(at, { name, type: 'TXT' }, { clock: systemClock, signal });
    return reply.answers.flatMap((record) => (record.type === 'TXT' ? [record] : []));
  };
  const whole: ProviderUnderTest = {
    provider,
    zone,
    again: () => again,
    txt: async (name) => (await ask(name)).map((record) => record.value),
    addForeign: async (name, value) => {
      await again.apply(zone, [{ ...add, name, value }], signal);
    },
    removeForeign: async (name, value) => {
      await again.apply(zone, [{ ...add, op: 'remove', name, value }], signal);
    },
    snapshot: async () => (await server.zoneText(zone.name)).replaceAll(/^.*\sSOA\s.*$/gm, ''),
    stop: async () => {
      await relay.stop();
      await server.stop();
    },
    delegated: { name: '_acme-challenge.www.sub.example.test', zone: 'sub.example.test' },
    missing: { zone: { name: 'nowhere.test' }, code: 'dns.zoneNotFound' },
    withWrongCredentials: () => wrong,
    calls: relay.requests,
    refused: { ...add, name: '_acme-challenge.elsewhere.test' },
    loseAnswerOnce: relay.loseAnswerOnce,
    hangOnce: relay.hangOnce,
    ttl: async (name) => (await ask(name))[0]?.ttl,
    server: {
      port: server.port,
      account: (port) => ({
        provider: 'rfc2136',
        options: { server: `127.0.0.1:${port}`, tsig: server.tsig },
      }),
    },
    dns: server.address,
    aliases: {
      first: '_acme-challenge.delegated.example.test',
      end: 'proofs.sub.example.test',
      loop: '_acme-challenge.loop.example.test',
    },
  };
  return { ...whole, ...Object.fromEntries(absent.map((part) => [part, undefined])) };
}
