import { describe, expect, onTestFinished, test } from 'vitest';
import { rfc2136 } from '../../providers/rfc2136.ts';
import { systemClock } from '../../src/clock.ts';
import { createDns, type Dns, type DnsAccount } from '../../src/dns/index.ts';
import type { PluginContext } from '../../src/plugin/context.ts';
import { startBind, type TestBind } from '../support/bind.ts';
import { createMemoryLog, createMemoryStore } from '../support/memory.ts';
import { createZoneStore } from '../support/zone-store.ts';
import { errorOf, never, until, untilReady, wish } from './stage.ts';
import { createTestVendor } from './vendor.ts';

const log = createMemoryLog();

const context: PluginContext = {
  name: 'bind',
  http: { request: unused, requestUntrusted: unused },
  run: unused,
  state: { get: async () => undefined, set: async () => {} },
  resolver: { addresses: async (host) => [host], txt: async () => [] },
  clock: systemClock,
  log,
};

async function startZones(): Promise<TestBind> {
  const bind = await startBind({
    zones: ['example.test', 'challenges.test'],
    records: [
      'example.test. 60 IN A 127.0.0.1',
      '_acme-challenge.delegated.example.test. 60 IN CNAME d.challenges.test.',
      '_acme-challenge.example.test. 60 IN TXT "of somebody else"',
      'challenges.test. 60 IN A 127.0.0.1',
    ],
  });
  onTestFinished(() => bind.stop());
  return bind;
}

async function accountAt(bind: TestBind): Promise<DnsAccount> {
  const options = rfc2136.options.parse({ server: bind.address, tsig: bind.tsig });
  const provider = await rfc2136.create(options, context);
  return { name: 'bind', provider, zones: [], nameservers: [bind.address] };
}

function agentOf(accounts: readonly DnsAccount[], bind: TestBind, memory = createMemoryStore()): Dns {
  const dns = createDns({ accounts, resolvers: [bind.address] }, { ...memory, clock: systemClock, log });
  onTestFinished(() => dns.close());
  return dns;
}

describe('with BIND and DNS UPDATE', () => {
  test('two agents bring in apex, wildcard and delegated names and take exactly those away', async () => {
    const bind = await startZones();
    const account = await accountAt(bind);
    const memory = createMemoryStore();
    const before = await txtOf(bind);
    const [one, other] = [agentOf([account], bind, memory), agentOf([account], bind, memory)];

    const ids = await Promise.all([
      one.present(
        ['apex', 'wildcard'].map((value) => wish('example.test', value)),
        never,
      ),
      other.present(
        ['d1', 'd2'].map((value) => wish('delegated.example.test', value)),
        never,
      ),
    ]);
    await untilReady(other, ids.flat());

    expect(await txtOf(bind)).toEqual(
      [
        '_acme-challenge.example.test "apex"',
        '_acme-challenge.example.test "of somebody else"',
        '_acme-challenge.example.test "wildcard"',
        'd.challenges.test "d1"',
        'd.challenges.test "d2"',
      ].sort(),
    );
    await one.cleanUp(ids.flat(), never);
    await until(async () => (await memory.journal.all()).length === 0);
    expect(await txtOf(bind)).toEqual(before);
  });

  test('two hundred values at once go in with few updates', async () => {
    const bind = await startZones();
    const account = await accountAt(bind);
    let calls = 0;
    const apply: typeof account.provider.apply = (...args) => {
      calls++;
      return account.provider.apply(...args);
    };
    const dns = agentOf([{ ...account, provider: { ...account.provider, apply } }], bind);
    const ids = await Promise.all(
      Array.from({ length: 100 }, (_, index) =>
        dns.present(
          ['a', 'w'].map((value) => wish(`h${index}.example.test`, value)),
          never,
        ),
      ),
    );
    await untilReady(dns, ids.flat());
    expect(calls).toBeLessThanOrEqual(4);
  });

  test('the declared zones of an account are checked with its key', async () => {
    const bind = await startZones();
    const account = await accountAt(bind);
    await agentOf([{ ...account, zones: ['example.test'] }], bind).check('bind', never);

    const strange = agentOf([{ ...account, zones: ['other.test'] }], bind);
    expect(await errorOf(strange.check('bind', never))).toMatchObject({ code: 'dns.zoneNotFound' });
  });
});

describe('zone discovery by SOA with BIND as resolver', () => {
  test('finds the zone of a name that does not exist yet, through a CNAME too', async () => {
    const bind = await startZones();
    const store = createZoneStore();
    for (const zone of ['example.test', 'challenges.test']) store.addZone(zone);
    const { provider } = createTestVendor(store);
    const memory = createMemoryStore();
    const dns = agentOf([{ name: 'main', provider, zones: [] }], bind, memory);
    await dns.present([wish('a.b.example.test', 'v'), wish('delegated.example.test', 'v')], never);

    const entries = await memory.journal.all();
    expect(entries.map(({ zone }) => zone)).toEqual(['example.test', 'challenges.test']);
  });

  test('a name that is not delegated is nobody’s, and no zone is taken for it', async () => {
    const bind = await startZones();
    const { provider } = createTestVendor(createZoneStore());
    const dns = agentOf([{ name: 'main', provider, zones: [] }], bind);

    const error = await errorOf(dns.present([wish('shop.not-there.test', 'v')], never));
    expect(error).toMatchObject({
      code: 'dns.zoneNotFound',
      message: expect.stringContaining('_acme-challenge.shop.not-there.test'),
    });
  });
});

/** Names and values of the TXT records in both zones, sorted. */
async function txtOf(bind: TestBind): Promise<string[]> {
  const texts = await Promise.all(['example.test', 'challenges.test'].map((zone) => bind.zoneText(zone)));
  return texts
    .join('\n')
    .split('\n')
    .filter((line) => /\sTXT\s/.test(line))
    .map((line) => line.replace(/^(\S+?)\.?\s.*TXT\s+(.*)$/, '$1 $2'))
    .sort();
}

async function unused(): Promise<never> {
  throw new Error('this test makes no such call');
}
