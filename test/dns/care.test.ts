import { describe, expect, test } from 'vitest';
import { manual } from '../../providers/manual.ts';
import { systemClock } from '../../src/clock.ts';
import type { DnsExamination } from '../../src/core/dns-care.ts';
import { AgentError } from '../../src/core/errors.ts';
import { createPluginContext } from '../support/plugin-context.ts';
import { apex, createStage, errorOf, never, until } from './stage.ts';

const trial = { key: 'task-1', name: 'example.test', account: 'main' };

function of({ findings }: DnsExamination, about: string) {
  return findings.find((finding) => finding.about === about);
}

describe('an examination', () => {
  test('tells chain, zone and how it was found, account, rights and servers', async () => {
    const { agent, front } = await createStage({
      zones: {
        'example.test': [
          { name: apex, type: 'CNAME', ttl: 60, values: ['a.proofs.test'] },
          { name: 'a.proofs.test', type: 'CNAME', ttl: 60, values: ['b.proofs.test'] },
        ],
        'proofs.test': [{ name: 'a.proofs.test', type: 'CNAME', ttl: 60, values: ['b.proofs.test'] }],
      },
    });
    const address = `${front.address}:${front.port}`;
    const dns = agent({ account: { kind: 'probe', zones: ['proofs.test'] } });
    const found = await dns.care.examine({ name: 'example.test' }, never);
    expect(of(found, 'CNAME')).toMatchObject({
      level: 'fine',
      message: `${apex} → a.proofs.test → b.proofs.test`,
    });
    expect(of(found, 'zone')).toMatchObject({
      level: 'fine',
      message:
        'proofs.test, declared in the configuration file; records are written by DNS account main (probe)',
    });
    expect(of(found, `nameserver ${address}`)).toMatchObject({ level: 'fine' });
    expect(found.place).toEqual({
      ...{ account: 'main', zone: 'proofs.test', name: 'b.proofs.test', isByHand: false },
    });
    expect(found.servers).toEqual([address]);
  });

  test('waits for no nameserver that answers nothing', async () => {
    const { agent, front } = await createStage();
    const address = `${front.address}:${front.port}`;
    const dns = agent({ account: { nameservers: [address, '127.0.0.1:9'] } });
    const found = await dns.care.examine({ name: 'example.test' }, never);
    expect(of(found, 'nameserver 127.0.0.1:9')).toMatchObject({ level: 'amiss' });
    expect(found.servers).toEqual([address]);
  });

  test('ends where the chain is a loop, or the zone is nobody’s, and says so', async () => {
    const loop = [{ name: apex, type: 'CNAME' as const, ttl: 60, values: [apex] }];
    const { agent } = await createStage({ zones: { 'example.test': loop } });
    const looping = await agent().care.examine({ name: 'example.test' }, never);
    expect(looping.findings).toMatchObject([
      { about: 'CNAME', level: 'amiss', message: expect.stringContaining('is a loop') },
    ]);
    expect(looping.place).toBeUndefined();
    const stranger = await agent().care.examine({ name: 'nowhere.test' }, never);
    expect(stranger.findings.at(-1)).toMatchObject({ about: 'CNAME', level: 'amiss' });
  });

  test('names a zone at the vendor that the DNS does not lead to', async () => {
    const { agent, vendor } = await createStage();
    const provider = {
      ...vendor.provider,
      findZone: async (name: string) =>
        name.endsWith('sub.example.test') ? { name: 'sub.example.test' } : undefined,
    };
    const dns = agent({ account: { provider } });
    const found = await dns.care.examine({ name: 'www.sub.example.test' }, never);
    expect(of(found, 'zone')).toMatchObject({
      level: 'amiss',
      message: expect.stringContaining(
        'but the DNS has _acme-challenge.www.sub.example.test in the zone example.test',
      ),
    });
  });

  test('tells credentials that are refused, in the words of the vendor with what to do', async () => {
    const { agent, vendor } = await createStage();
    const check = () => Promise.reject(new AgentError('provider.auth', 'the token has expired'));
    const found = await agent({ account: { provider: { ...vendor.provider, check } } }).care.examine(
      { name: 'example.test' },
      never,
    );
    expect(of(found, 'account main')).toMatchObject({
      level: 'amiss',
      message: 'the token has expired. Renew the credentials of this DNS account and check their rights.',
    });
  });

  test('says that a person writes there', async () => {
    const { agent } = await createStage();
    const provider = await manual.create({}, createPluginContext('person'));
    const found = await agent({ account: { provider } }).care.examine({ name: 'example.test' }, never);
    expect(found.place?.isByHand).toBe(true);
  });
});

describe('a trial', () => {
  test('is written, seen at the servers, and taken away; another process can go on with it', async () => {
    const { agent, memory, zones, front } = await createStage({ publishDelayMs: 300 });
    const [one, other] = [agent(), agent()];
    await one.care.beginTrial(trial, never);
    await one.care.beginTrial(trial, never);
    await until(async () => (await one.care.seeTrial('task-1', never))?.acceptedMs !== undefined);
    expect(zones.txt(apex)).toHaveLength(1);
    expect(zones.txt(apex)[0]).toMatch(/^[A-Za-z0-9_-]{43}$/);
    await until(async () => ((await other.care.seeTrial('task-1', never))?.shownBy.length ?? 0) === 1);
    expect(await other.care.seeTrial('task-1', never)).toMatchObject({
      shownBy: [`${front.address}:${front.port}`],
      ageMs: expect.any(Number),
    });
    await until(() => other.care.endTrial('task-1', never));
    expect(zones.txt(apex)).toEqual([]);
    expect(await memory.journal.all()).toEqual([]);
    expect(await one.care.seeTrial('task-1', never)).toBeUndefined();
    expect(await one.care.endTrial('task-1', never)).toBe(true);
  });

  test('teaches how long its zone takes', async () => {
    const { agent, memory } = await createStage({ publishDelayMs: 250 });
    const dns = agent();
    for (const key of ['a', 'b', 'c', 'd']) {
      await dns.care.beginTrial({ ...trial, key }, never);
      await until(async () => ((await dns.care.seeTrial(key, never))?.shownBy.length ?? 0) === 1);
      await until(() => dns.care.endTrial(key, never));
    }
    const kept = await memory.pluginState('dns engine').get('propagation/main/example.test');
    const samples = JSON.parse(kept ?? '[]') as number[];
    expect(samples).toHaveLength(4);
    expect(Math.min(...samples)).toBeGreaterThan(150);
  });

  test('that the vendor refuses is told, and leaves nothing', async () => {
    const { agent, memory, vendor } = await createStage();
    vendor.refused = 'example';
    const dns = agent();
    await dns.care.beginTrial(trial, never);
    expect(await errorOf(dns.care.seeTrial('task-1', never))).toMatchObject({ code: 'provider.invalid' });
    vendor.refused = undefined;
    await until(() => dns.care.endTrial('task-1', never));
    expect(await memory.journal.all()).toEqual([]);
  });

  test('that nobody goes on with is taken away by recovery an hour later', async () => {
    const { agent, memory, zones } = await createStage();
    const dns = agent();
    await dns.care.beginTrial(trial, never);
    await until(async () => (await dns.care.seeTrial('task-1', never))?.acceptedMs !== undefined);
    expect(await dns.recover(never)).toMatchObject({ removed: 0 });
    const later = { ...systemClock, now: () => Date.now() + 3_600_001 };
    expect(await agent({ clock: later }).recover(never)).toMatchObject({ removed: 1 });
    expect(zones.txt(apex)).toEqual([]);
    expect(await memory.journal.all()).toEqual([]);
  });
});
