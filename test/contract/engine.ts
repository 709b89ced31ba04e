import { setMaxListeners } from 'node:events';
import { expect, onTestFinished } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import type { DnsProvider, ProviderTraits } from '../../src/core/provider.ts';
import { createDns, type Dns } from '../../src/dns/index.ts';
import { startDnsFront } from '../support/dns-front.ts';
import { createMemoryLog, createMemoryStore, type MemoryStore } from '../support/memory.ts';
import { freePort } from '../support/ports.ts';
import { createZoneStore } from '../support/zone-store.ts';
import { describeKilled } from './killed.ts';
import { describePebble } from './pebble.ts';
import type { ProviderUnderTest } from './subject.ts';
import { digest, type Suite } from './suite.ts';

const signal = new AbortController().signal;
setMaxListeners(0, signal);

/** Points 12, 23, 24, 25 and 27: the provider under the engine. */
export function describeEngine(suite: Suite, { slow }: { readonly slow: boolean }): void {
  const { traits, subject, at, expectGone, point } = suite;

  point(
    12,
    async () => {
      const { aliases: { first, end, loop } = { first: '', end: '', loop: '' }, txt } = subject();
      const { dns, memory } = engineAt(subject());
      const ids = await present(dns, [first]);
      await untilAllReady(dns, ids);
      expect(await txt(end)).toEqual([digest]);
      await expect(present(dns, [loop])).rejects.toMatchObject({ code: 'dns.cname' });
      await leave(dns, ids, memory);
    },
    { part: 'aliases' },
  );

  if (!slow) return;

  point(
    23,
    async () => {
      const { dns: published = '', zone, txt } = subject();
      const [lagging, dead] = [createZoneStore(), await freePort()];
      lagging.addZone(zone.name);
      const front = await startDnsFront(lagging);
      onTestFinished(() => front.stop());
      const nameservers = [published, `127.0.0.1:${front.port}`, `127.0.0.1:${dead}`];
      const { dns, memory } = engineAt(subject(), { nameservers });
      const name = at('lag');
      const ids = await present(dns, [name]);
      await expect.poll(() => txt(name)).toEqual([digest]);
      const asked = () => front.queries.filter((query) => query.startsWith(`${name} TXT`)).length;
      while (asked() < 2) expect(await readyOrWait(dns, ids[0] ?? '')).toBe(false);
      await lagging.write(zone.name, [{ name, type: 'TXT', ttl: 60, values: [digest] }]);
      await untilAllReady(dns, ids);
      await leave(dns, ids, memory);
    },
    { part: 'dns', unless: unlessServersDecide(traits) },
  );

  describeKilled(suite);

  point(
    25,
    async () => {
      const { again, txt } = subject();
      const memory = createMemoryStore();
      const engines = [engineAt(subject(), { memory }), engineAt(subject(), { memory, provider: again() })];
      const perName = Math.min(2, traits.maxValuesPerName);
      const names = Array.from({ length: 10 }, (_, index) => at(`shared-${index}`));
      const ids = await Promise.all(
        engines.slice(0, perName).map(async ({ dns }, process) => {
          const presented = await present(dns, names, `of-process-${process}`);
          await untilAllReady(dns, presented);
          return presented;
        }),
      );
      for (const name of names) expect(await txt(name)).toHaveLength(perName);
      await Promise.all(engines.map(({ dns }, process) => dns.cleanUp(ids[process] ?? [], signal)));
      await Promise.all(engines.map(({ dns }) => dns.close()));
      expect(await memory.journal.all()).toEqual([]);
      for (const name of names) await expectGone(name);
    },
    { part: 'dns' },
  );

  describePebble(suite);
}

/** Its propagation cannot be delayed by servers that it does not ask. */
function unlessServersDecide({ propagation: { signal: sign } }: ProviderTraits): string | undefined {
  if (sign === 'authoritative') return undefined;
  return sign === 'api'
    ? "the vendor's word decides, not its servers (trait propagation.signal)"
    : 'time decides, not its servers (trait propagation.signal)';
}

interface EngineOptions {
  readonly provider?: DnsProvider;
  readonly memory?: MemoryStore;
  readonly nameservers?: readonly string[];
  readonly clock?: typeof systemClock;
}

/** An agent's engine with one account, at the subject's DNS. The vendor's limits apart: tests have no day. */
export function engineAt(
  { provider: own, dns: published }: ProviderUnderTest,
  options: EngineOptions = {},
): { readonly dns: Dns; readonly memory: MemoryStore } {
  const resolvers = published === undefined ? [] : [published];
  const { provider = own, memory = createMemoryStore(), nameservers = resolvers } = options;
  const unlimited = { ...provider, traits: { ...provider.traits, rate: [] } };
  const dns = createDns(
    { accounts: [{ name: 'main', provider: unlimited, zones: [], nameservers }], resolvers },
    { ...memory, clock: options.clock ?? systemClock, log: createMemoryLog() },
  );
  onTestFinished(() => dns.close());
  return { dns, memory };
}

function present(dns: Dns, names: readonly string[], value = digest): Promise<readonly string[]> {
  const leaseUntil = Date.now() + 600_000;
  const wishes = names.map((name) => ({ name, value, lineage: `${name}/${value}/ec`, leaseUntil }));
  return dns.present(wishes, signal);
}

type Readiness = Pick<Dns, 'ready'>;

/** false: not yet, and the time to ask again has come. */
async function readyOrWait(of: Readiness, id: string): Promise<boolean> {
  const ready = await of.ready(id, signal);
  if (ready === true) return true;
  await systemClock.sleep(Math.max(0, ready.checkAgainAt - Date.now()), signal);
  return false;
}

export async function untilReady(of: Readiness, id: string): Promise<void> {
  while (!(await readyOrWait(of, id)));
}

async function untilAllReady(of: Readiness, ids: readonly string[]): Promise<void> {
  await Promise.all(ids.map((id) => untilReady(of, id)));
}

/** Cleans up, and ends, which sends off what would wait a while. */
async function leave(dns: Dns, ids: readonly string[], { journal }: MemoryStore): Promise<void> {
  await dns.cleanUp(ids, signal);
  await dns.close();
  expect(await journal.all()).toEqual([]);
}
