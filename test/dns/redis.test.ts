import { randomBytes } from 'node:crypto';
import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { secret } from '../../src/core/secret.ts';
import { createDns, type Dns } from '../../src/dns/index.ts';
import { openStore, type Store } from '../../src/store/index.ts';
import { createMemoryStore } from '../support/memory.ts';
import { startRedis } from '../support/redis.ts';
import { apex, createStage, never, type Stage, until, untilReady, wish } from './stage.ts';

interface Agent {
  readonly dns: Dns;
  readonly store: Store;
}

/** Agents that share nothing but Redis, the vendor and the DNS. */
async function startAgents(stage: Stage, count: number): Promise<readonly Agent[]> {
  const redis = await startRedis();
  onTestFinished(() => redis.stop());
  const masterKeys = [secret<Uint8Array>(randomBytes(32))];
  const agents: Agent[] = [];
  while (agents.length < count) agents.push(await startAgent(stage, { url: redis.url, masterKeys }));
  return agents;
}

async function startAgent(
  { front, vendor, log }: Stage,
  { url, masterKeys }: { url: string; masterKeys: Parameters<typeof openStore>[0]['masterKeys'] },
): Promise<Agent> {
  const store = await openStore({ redis: { url }, masterKeys, clock: systemClock, log });
  const address = `127.0.0.1:${front.port}`;
  const accounts = [
    { name: 'main', provider: vendor.provider, zones: ['example.test'], nameservers: [address] },
  ];
  const dns = createDns(
    { accounts, resolvers: [address] },
    { ...createMemoryStore(), ...store, clock: systemClock, log },
  );
  onTestFinished(async () => {
    await dns.close();
    await store.close();
  });
  return { dns, store };
}

test('two agents on one Redis bring forty values into one set, lose none and leave none', async () => {
  const stage = await createStage({ latencyMs: 15 });
  const agents = await startAgents(stage, 2);
  const values = Array.from({ length: 40 }, (_, index) => `value-${index}`);

  const ids = await Promise.all(
    values.map(async (value, index) => {
      const dns = agents[index % 2]?.dns;
      const presented = (await dns?.present([wish('example.test', value)], never)) ?? [];
      if (dns !== undefined) await untilReady(dns, presented);
      return presented;
    }),
  );

  expect([...stage.zones.txt(apex)].sort()).toEqual([...values].sort());
  expect(stage.vendor.atOnce()).toBe(1);
  expect(stage.vendor.calls.length).toBeLessThan(20);
  // Each agent cleans up what the other presented.
  await Promise.all(
    agents.map(({ dns }, which) => dns.cleanUp(ids.filter((_, index) => index % 2 !== which).flat(), never)),
  );
  await until(async () => (await agents[0]?.store.journal.all())?.length === 0);
  expect(stage.zones.txt(apex)).toEqual([]);
});

test('what an agent left behind is taken up by id, or removed by the next recovery, over Redis', async () => {
  const stage = await createStage();
  const [one, other] = await startAgents(stage, 2);
  const entry = {
    account: 'main',
    zone: 'example.test',
    name: apex,
    state: 'intent' as const,
    lineage: 'example.test/example.test/ec',
    createdAt: Date.now(),
  };
  await one?.store.journal.intend([
    { ...entry, id: 'running', value: 'running', leaseUntil: Date.now() + 600_000 },
    { ...entry, id: 'lapsed', value: 'lapsed', leaseUntil: Date.now() - 1 },
  ]);
  await stage.zones.write('example.test', [{ name: apex, type: 'TXT', ttl: 30, values: ['lapsed'] }]);

  expect(await other?.dns.recover(never)).toMatchObject({ removed: 1, left: 0 });
  if (other !== undefined) await untilReady(other.dns, ['running']);

  expect(stage.zones.txt(apex)).toEqual(['running']);
  expect(await one?.store.journal.get('running')).toMatchObject({
    state: 'added',
    addedAt: expect.any(Number),
  });
});
