import { encode } from 'dns-packet';
import { describe, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { createDns } from '../../src/dns/index.ts';
import type { RrSet } from '../support/zone-store.ts';
import { createStage, errorOf, never, type Stage, startServer, untilReady, wish } from './stage.ts';
import { createTestVendor } from './vendor.ts';

function alias(name: string, target: string): RrSet {
  return { name, type: 'CNAME', ttl: 60, values: [target] };
}

async function placeOf(stage: Stage, name: string): Promise<string> {
  await stage.agent().present([wish(name, 'value')], never);
  const [entry] = await stage.memory.journal.all();
  return `${entry?.account} ${entry?.zone} ${entry?.name}`;
}

describe('CNAMEs', () => {
  test('lead the record to the end of the chain, in another zone', async () => {
    const stage = await createStage({
      zones: {
        'example.test': [alias('_acme-challenge.example.test', 'one.hop.test')],
        'hop.test': [alias('one.hop.test', 'two.hop.test'), alias('two.hop.test', 'a.challenges.test')],
        'challenges.test': [],
      },
    });
    const dns = stage.agent();
    const ids = await dns.present([wish('example.test', 'value')], never);
    await untilReady(dns, ids);

    expect(stage.zones.txt('a.challenges.test')).toEqual(['value']);
    expect(stage.zones.txt('_acme-challenge.example.test')).toEqual([]);
  });

  test('that run in a loop are refused with the chain in words', async () => {
    const { agent, vendor, memory } = await createStage({
      zones: {
        'example.test': [
          alias('_acme-challenge.example.test', 'a.example.test'),
          alias('a.example.test', '_acme-challenge.example.test'),
        ],
      },
    });
    const error = await errorOf(agent().present([wish('example.test', 'value')], never));

    expect(error).toMatchObject({
      code: 'dns.cname',
      message: expect.stringContaining(
        'is a loop: _acme-challenge.example.test → a.example.test → _acme-challenge.example.test',
      ),
    });
    expect(vendor.calls).toEqual([]);
    expect(await memory.journal.all()).toEqual([]);
  });

  test('that do not end within ten hops are refused', async () => {
    const links = Array.from({ length: 12 }, (_, index) =>
      alias(
        index === 0 ? '_acme-challenge.example.test' : `l${index}.example.test`,
        `l${index + 1}.example.test`,
      ),
    );
    const { agent } = await createStage({ zones: { 'example.test': links } });

    const error = await errorOf(agent().present([wish('example.test', 'value')], never));
    expect(error).toMatchObject({ code: 'dns.cname', message: expect.stringContaining('10 hops') });
  });

  test('are not taken for absent when no resolver can tell', async () => {
    const failing = await startServer((id, question) =>
      encode({ type: 'response', id, flags: 2, questions: [question] }),
    );
    const { vendor, memory } = await createStage();
    const accounts = [{ name: 'main', provider: vendor.provider, zones: ['example.test'] }];
    const dns = createDns(
      { accounts, resolvers: [failing] },
      { ...memory, clock: systemClock, log: (await createStage()).log },
    );
    onTestFinished(() => dns.close());

    const error = await errorOf(dns.present([wish('example.test', 'value')], never));
    expect(error).toMatchObject({ code: 'dns.query', message: expect.stringContaining('SERVFAIL') });
    expect(await memory.journal.all()).toEqual([]);
  });

  test('are asked of the next resolver when the first is dead', async () => {
    const { front, vendor, memory, log } = await createStage();
    const accounts = [{ name: 'main', provider: vendor.provider, zones: ['example.test'] }];
    const resolvers = ['127.0.0.1:1', `127.0.0.1:${front.port}`];
    const dns = createDns({ accounts, resolvers }, { ...memory, clock: systemClock, log });
    onTestFinished(() => dns.close());

    expect(await dns.present([wish('example.test', 'value')], never)).toHaveLength(1);
  });
});

describe('the zone of a name', () => {
  const nested = { 'example.test': [], 'sub.example.test': [] };

  test('is the longest that the SOA records show', async () => {
    const stage = await createStage({ zones: nested });
    expect(await placeOf(stage, 'www.sub.example.test')).toBe(
      'main sub.example.test _acme-challenge.www.sub.example.test',
    );
  });

  test('is the longest that the vendor finds, with its id', async () => {
    const stage = await createStage({ zones: nested, findsZones: true });
    await placeOf(stage, 'www.sub.example.test');
    const [entry] = await stage.memory.journal.all();
    expect(entry).toMatchObject({ zone: 'sub.example.test', zoneId: 'id-of-sub.example.test' });
  });

  test('costs the vendor one search, however many names it has', async () => {
    const { agent, vendor } = await createStage({ findsZones: true });
    const wishes = Array.from({ length: 30 }, (_, index) => wish(`h${index}.example.test`, 'value'));
    await agent().present(wishes, never);
    expect(vendor.searches).toEqual(['example.test']);
  });

  test('is found by the vendor alone where no resolver knows it', async () => {
    const stage = await createStage({ findsZones: true });
    const ignorant = await startServer((id, question) =>
      encode({ type: 'response', id, flags: question.type === 'SOA' ? 2 : 3, questions: [question] }),
    );
    const accounts = [{ name: 'main', provider: stage.vendor.provider, zones: [] }];
    const dns = createDns(
      { accounts, resolvers: [ignorant] },
      { ...stage.memory, clock: systemClock, log: stage.log },
    );
    onTestFinished(() => dns.close());
    await dns.present([wish('www.example.test', 'value')], never);
    const [entry] = await stage.memory.journal.all();
    expect(entry?.zone).toBe('example.test');
  });

  test('is a declared one before any that could be discovered', async () => {
    const stage = await createStage({ zones: nested });
    await stage
      .agent({ account: { zones: ['example.test'] } })
      .present([wish('sub.example.test', 'v')], never);
    const [entry] = await stage.memory.journal.all();
    expect(entry?.zone).toBe('example.test');
  });

  test('is looked up once for apex, wildcard and later orders of the name', async () => {
    const { agent, front } = await createStage();
    const dns = agent();
    await dns.present([wish('example.test', 'apex'), wish('example.test', 'wildcard')], never);
    await dns.present([wish('example.test', 'another')], never);
    expect(front.queries.filter((query) => query.includes(' SOA '))).toHaveLength(1);
  });

  test('is never that of a registry: a name right below it is not delegated', async () => {
    const { agent, memory } = await createStage({ zones: { test: [] } });
    const error = await errorOf(agent().present([wish('not-registered.test', 'value')], never));

    expect(error).toMatchObject({
      code: 'dns.zoneNotFound',
      message: expect.stringContaining('nobody can write _acme-challenge.not-registered.test'),
    });
    expect(await memory.journal.all()).toEqual([]);
  });

  test('that the vendor lacks, though the configuration declares it, is an error that says so', async () => {
    const { agent } = await createStage({ findsZones: true, zones: { 'elsewhere.test': [] } });
    const dns = agent({ account: { zones: ['example.test'] } });

    const error = await errorOf(dns.check('main', never));
    expect(error).toMatchObject({
      code: 'dns.zoneNotFound',
      message: expect.stringContaining('DNS account main has no zone example.test'),
    });
  });

  test('decides the account when the domain names none; a CNAME may cross accounts', async () => {
    const stage = await createStage({
      zones: {
        'one.test': [],
        'two.test': [alias('_acme-challenge.two.test', 'x.one.test')],
      },
    });
    const other = createTestVendor(stage.zones);
    const accounts = [
      { name: 'first', provider: stage.vendor.provider, zones: ['one.test'] },
      { name: 'second', provider: other.provider, zones: ['two.test'] },
    ];
    const resolvers = [`127.0.0.1:${stage.front.port}`];
    const dns = createDns({ accounts, resolvers }, { ...stage.memory, clock: systemClock, log: stage.log });
    onTestFinished(() => dns.close());
    await dns.present([wish('www.two.test', 'a'), wish('two.test', 'b', { account: 'second' })], never);

    const entries = await stage.memory.journal.all();
    expect(entries.map(({ account, name }) => `${account} ${name}`)).toEqual([
      'second _acme-challenge.www.two.test',
      'first x.one.test',
    ]);
  });

  test('of an account that the file does not define is an error that lists those it does', async () => {
    const { agent } = await createStage();
    const error = await errorOf(agent().present([wish('example.test', 'v', { account: 'mian' })], never));
    expect(error).toMatchObject({
      code: 'config.invalid',
      message: expect.stringContaining('configured: main'),
    });
  });
});

test('a name is written in the longest zone that is declared, in whatever order they stand', async () => {
  const stage = await createStage({ zones: { 'example.test': [], 'sub.example.test': [] } });
  const zones = ['example.test', 'sub.example.test'];
  for (const [index, order] of [zones, zones.toReversed()].entries()) {
    const dns = stage.agent({ account: { zones: order } });
    await dns.present([wish(`h${index}.sub.example.test`, 'value')], never);
  }
  const entries = await stage.memory.journal.all();
  expect(entries.map(({ zone }) => zone)).toEqual(['sub.example.test', 'sub.example.test']);
});
