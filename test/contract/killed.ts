import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { startDnsFront } from '../support/dns-front.ts';
import { createMemoryStore } from '../support/memory.ts';
import { startProcess } from '../support/process.ts';
import { startRelay } from '../support/relay.ts';
import { projectRoot } from '../support/root.ts';
import { startStore, type TestStore } from '../support/store.ts';
import { createZoneStore } from '../support/zone-store.ts';
import type { DyingAgent } from './dying-agent.ts';
import { engineAt } from './engine.ts';
import type { ProviderUnderTest } from './subject.ts';
import { digest, type Suite } from './suite.ts';

const signal = new AbortController().signal;
const program = join(projectRoot, 'dist/test/contract/dying-agent.js');
const leaseMs = 600_000;

/** Point 24: SIGKILL when the vendor has made the change and before the process can know. */
export function describeKilled({ subject, at, expectGone, point }: Suite): void {
  point(
    24,
    async () => {
      const name = at('killed');
      const held = await startStore();
      onTestFinished(() => held.stop());
      await killInFlight(subject(), name, held);
      const { journal, locks } = held.store;
      expect(await subject().txt(name)).toEqual([digest]);
      expect(await journal.all()).toMatchObject([{ name, value: digest, state: 'intent' }]);

      await letLocksLapse(held);
      const memory = { ...createMemoryStore(), journal, locks };
      const clock = { ...systemClock, now: () => Date.now() + leaseMs + 60_000 };
      const { dns } = engineAt(subject(), { memory, clock });
      expect(await dns.recover(signal)).toEqual({ removed: 1, left: 0 });
      await expectGone(name);
      expect(await journal.all()).toEqual([]);
    },
    { part: 'server' },
  );
}

async function killInFlight(
  { server, zone, txt, dns }: ProviderUnderTest,
  name: string,
  { redis, masterKey }: TestStore,
): Promise<void> {
  if (server === undefined) throw new Error('the subject has no server');
  const relay = await startRelay(server.port);
  onTestFinished(() => relay.stop());
  const accepted = relay.withhold(async () => (await txt(name)).includes(digest));
  const input: DyingAgent = {
    account: server.account(relay.port),
    redisUrl: redis.url,
    masterKey: Buffer.from(masterKey.reveal()).toString('base64'),
    resolver: dns ?? (await startResolver(zone.name)),
    wish: { name, value: digest, lineage: `${name}/killed/ec`, leaseUntil: Date.now() + leaseMs },
  };
  const agent = await startProcess({
    name: 'dying-agent',
    command: [process.execPath, program],
    input: JSON.stringify(input),
  });
  onTestFinished(async () => void (await agent.kill('SIGKILL')));
  const ended = agent.exited.then(() => Promise.reject(new Error(`it ended by itself: ${agent.output()}`)));
  await Promise.race([accepted, ended]);
  expect(await agent.kill('SIGKILL')).toEqual({ code: undefined, signal: 'SIGKILL' });
  await ended.catch(() => {});
}

/** Knows where the zone begins, which is all that is asked before the vendor is. */
async function startResolver(zone: string): Promise<string> {
  const zones = createZoneStore();
  zones.addZone(zone);
  const front = await startDnsFront(zones);
  onTestFinished(() => front.stop());
  return `${front.address}:${front.port}`;
}

/** As if the time had passed after which nobody holds what a dead process held. */
async function letLocksLapse({ redis }: TestStore): Promise<void> {
  const locks = (await redis.cli('KEYS', '*:lock:dns/*')) as string[];
  expect(locks).toHaveLength(1);
  for (const key of locks) await redis.cli('PEXPIRE', key, '1');
}
