import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startWorlds, type World, type Worlds } from './world.ts';

let worlds: Worlds;

beforeAll(async () => {
  worlds = await startWorlds();
});
afterAll(() => worlds.stop());

interface Ending {
  readonly at: string | undefined;
  readonly orders: number;
  readonly finalizes: number;
  readonly generation: number | undefined;
  readonly issuances: readonly string[];
  readonly records: number;
  readonly task: string | undefined;
  readonly deployed: boolean;
}

/** One issuance whose process dies at its n-th call; others take over until all is quiet. */
async function dieAndRecover(
  world: World,
  { count, when, domain }: { count: number; when: 'before' | 'after'; domain: string },
): Promise<Ending> {
  const { gate, store, first, web } = world;
  const lineage = `${domain}/www.${domain}/ec`;
  await world.want({ name: domain, challenge: 'dns-01', dnsAccount: 'zone' }, [`www.${domain}`]);
  const [ordersBefore, finalizedBefore] = [first.orders.length, first.finalized().length];
  const items = [{ id: lineage, state: 'waiting' as const }];
  const task = { id: `task-${domain}`, operation: 'renew', createdAt: 0, state: 'running' as const, items };
  await store.changes.commit({ putTasks: [task] });
  await world.ask(true, task.id, lineage);
  gate.dieAt(count, when);
  await world.handle('issue', lineage).catch(() => undefined);
  const died = gate.isDead;
  const at = died ? gate.calls.at(-1) : undefined;
  await world.takeOver();
  // A stalled job comes to another worker, whatever the due index says.
  if (died) await world.handle('issue', lineage);
  await world.live(30 * 60_000);
  const certificate = await store.certificates.certificate(lineage);
  return {
    at,
    orders: first.orders.length - ordersBefore,
    finalizes: first.finalized().length - finalizedBefore,
    generation: certificate?.generation,
    issuances: await store.issuances.all(),
    records: world.zone.records.size,
    task: (await store.tasks.get(task.id))?.state,
    deployed: web.shows(lineage)?.certificate.fingerprint === certificate?.fingerprint,
  };
}

describe.each(['before', 'after'] as const)(
  'a process that is killed %s any of its calls took effect',
  (when) => {
    it('leaves an issuance that the next one ends: one certificate, one finalize, nothing left over', async () => {
      const world = await worlds.open();
      const endings: (Ending & { readonly count: number })[] = [];
      for (let count = 1; endings.length === 0 || endings.at(-1)?.at !== undefined; count++)
        endings.push({ count, ...(await dieAndRecover(world, { count, when, domain: `d${count}.test` })) });
      expect(endings.length).toBeGreaterThan(25);
      const good = {
        finalizes: 1,
        generation: 1,
        issuances: [],
        records: 0,
        task: 'done',
        deployed: true,
      };
      const bad = endings.filter(
        ({ count: _, at, orders, ...rest }) =>
          JSON.stringify(rest) !== JSON.stringify(good) || orders > (mayLoseOrder(at) ? 2 : 1),
      );
      expect(bad).toEqual([]);
    });
  },
);

/** Between the CA's answer to newOrder and the stored address nobody can know of the order. */
function mayLoseOrder(call: string | undefined): boolean {
  return call === 'first.newOrder' || call === 'changes.commit';
}
