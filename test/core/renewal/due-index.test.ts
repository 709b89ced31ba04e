import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AgentError } from '../../../src/core/errors.ts';
import { isAbandoned } from '../../../src/core/renewal/decide.ts';
import { refreshDue } from '../../../src/core/renewal/due-index.ts';
import type { Lineage } from '../../../src/core/types.ts';
import { changeWishes, type StoredWish } from '../../../src/core/wishes/reconcile.ts';
import { failing } from '../gate.ts';
import { day, hour, minute } from '../given.ts';
import { revokeIn } from '../revocation/revoke-command.ts';
import { type CheapWorld, openCheapWorld, startWorlds, type World, type Worlds } from '../world.ts';

let worlds: Worlds;

beforeAll(async () => {
  worlds = await startWorlds();
});
afterAll(() => worlds.stop());

const hosts = ['a.example.com', 'b.example.com'];

type Step =
  | { readonly do: 'live'; readonly ms: number }
  | { readonly do: 'ca'; readonly mood: keyof typeof moods; readonly which: 'first' | 'second' }
  | { readonly do: 'web'; readonly broken: boolean }
  | { readonly do: 'ask'; readonly force: boolean; readonly host: string }
  | { readonly do: 'want'; readonly both: boolean; readonly issuers: readonly string[] }
  | { readonly do: 'kill'; readonly host: string; readonly count: number };

/** A CA that does well, one that is away, and verdicts of every kind. */
const moods = {
  well: undefined,
  away: new AgentError('acme.network', 'no route'),
  limits: new AgentError('acme.rateLimited', 'too many'),
  verdict: { type: 'dns', detail: 'NXDOMAIN' },
  forbids: { type: 'caa', detail: 'CAA forbids' },
} as const;

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('live' as const),
      ms: fc.oneof(fc.integer({ min: 1, max: 2 * hour }), fc.integer({ min: hour, max: 30 * day })),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('ca' as const),
      mood: fc.constantFrom('well', 'away', 'limits', 'verdict', 'forbids'),
      which: fc.constantFrom('first', 'second'),
    }),
  },
  fc.record({ do: fc.constant('web' as const), broken: fc.boolean() }),
  fc.record({ do: fc.constant('ask' as const), force: fc.boolean(), host: fc.constantFrom(...hosts) }),
  fc.record({
    do: fc.constant('want' as const),
    both: fc.boolean(),
    issuers: fc.constantFrom(['first'], ['first', 'second'], ['second', 'first']),
  }),
  fc.record({
    do: fc.constant('kill' as const),
    host: fc.constantFrom(...hosts),
    count: fc.integer({ min: 1, max: 35 }),
  }),
);

function setMood(world: CheapWorld, which: 'first' | 'second', mood: keyof typeof moods): void {
  const how = moods[mood];
  world.gate.always(`${which}.newOrder`, how instanceof AgentError ? failing(how) : undefined);
  world[which].ways.verdict = () => (how instanceof AgentError ? undefined : how);
}

async function want(world: CheapWorld, both: boolean, issuers: readonly string[]): Promise<void> {
  const names = both ? hosts : hosts.slice(0, 1);
  const stored = await world.store.wishes.hosts('example.com');
  const removeHosts = stored.filter(({ name }) => !names.includes(name));
  await world.want({ issuers }, names);
  await world.run(changeWishes('example.com', () => ({ removeHosts }), world.needs));
}

async function take(world: CheapWorld, one: Step): Promise<void> {
  const idOf = (host: string) => `example.com/${host}/ec`;
  if (one.do === 'live') await world.live(one.ms);
  if (one.do === 'ca') setMood(world, one.which, one.mood);
  if (one.do === 'web')
    world.gate.always(
      'web.deploy',
      one.broken ? failing(new AgentError('deploy.target', 'full')) : undefined,
    );
  if (one.do === 'want') await want(world, one.both, one.issuers);
  if (one.do === 'ask' && (await world.store.certificates.lineage(idOf(one.host))) !== undefined)
    await world.ask(one.force, undefined, idOf(one.host));
  if (one.do === 'kill') {
    world.gate.dieAt(one.count, one.count % 2 === 0 ? 'before' : 'after');
    await world.handle('issue', idOf(one.host)).catch(() => undefined);
    await world.takeOver();
  }
}

/** What must stand in the due index once all that is due now was done. */
async function check(world: CheapWorld): Promise<void> {
  // What one tick makes due at once comes with the next.
  for (let tick = 0; tick < 5 && (await world.work()).length > 0; tick++);
  const now = world.clock.now();
  const lineages = (await world.store.certificates.lineages()).filter(({ source }) => source === 'acme');
  for (const lineage of lineages) {
    const at = await world.store.due.at('issue', lineage.id);
    // One that nobody wants any more is looked at once more, and not worked on.
    if (isAbandoned({ lineage, certificate: await world.store.certificates.certificate(lineage.id), now }))
      expect(at ?? now).toBeGreaterThanOrEqual(now - minute);
    else await checkLineage(world, lineage, at);
  }
}

async function checkLineage(world: CheapWorld, lineage: Lineage, at: number | undefined): Promise<void> {
  const now = world.clock.now();
  expect(at, `${lineage.id} has no due entry`).toBeDefined();
  expect(at ?? 0).toBeGreaterThanOrEqual(now - minute);
  expect(at ?? 0).toBeLessThanOrEqual(now + 90 * day);
  const deployAt = await world.store.due.at('deploy', `web|${lineage.id}`);
  // What nobody wants any more stays where it lies.
  if (lineage.unwantedSince === undefined)
    expect(deployAt ?? 0, `${lineage.id} has no deployment to come`).toBeGreaterThanOrEqual(now - minute);
  const { failingSince } = await world.store.renewals.get(lineage.id);
  const remindAt = await world.store.due.at('remind', lineage.id);
  if (failingSince === undefined) expect(remindAt).toBeUndefined();
  else expect(remindAt ?? 0).toBeGreaterThanOrEqual(now - minute);
}

describe.each([
  ['in memory', 30, async () => openCheapWorld()],
  ['on a real store', 1, () => worlds.open()],
] as const)('after any history, %s', (_, numRuns, open) => {
  it('every wanted lineage has its next look in the due index, all mends itself, and a quiet world orders nothing', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 10 }), async (steps) => {
        const world = await open();
        await want(world, true, ['first', 'second']);
        for (const one of steps) {
          await take(world, one);
          await check(world);
        }
        await mends(world);
      }),
      { numRuns },
    );
  }, 300_000);
});

async function mends(world: CheapWorld): Promise<void> {
  setMood(world, 'first', 'well');
  setMood(world, 'second', 'well');
  await take(world, { do: 'web', broken: false });
  await want(world, true, ['first']);
  await world.live(2 * day);
  const ids = hosts.map((host) => `example.com/${host}/ec`);
  for (const id of ids) {
    const certificate = await world.store.certificates.certificate(id);
    expect(certificate?.notAfter ?? 0, `${id} is not mended`).toBeGreaterThan(world.clock.now() + 20 * day);
    expect(world.web.shows(id)?.certificate.fingerprint).toBe(certificate?.fingerprint);
    expect(await world.store.renewals.get(id)).toMatchObject({ failures: 0 });
  }
  expect(await world.store.issuances.all()).toEqual([]);
  expect(await world.tokensLeft()).toBe(0);
  const orders = world.first.orders.length + world.second.orders.length;
  const states = await world.store.renewals.many(ids);
  const renewAt = Math.min(...states.map((state) => state.renewAt ?? 0));
  expect(renewAt).toBeGreaterThan(world.clock.now());
  await world.live(renewAt - world.clock.now() - minute);
  expect(world.first.orders.length + world.second.orders.length).toBe(orders);
}

async function loseIndex(world: World): Promise<void> {
  const entries = await world.store.due.next(Number.MAX_SAFE_INTEGER, 100);
  await world.store.changes.commit({ due: entries.map(({ job, id }) => ({ job, id, at: undefined })) });
}

describe('the due index computed anew', () => {
  it('has all that was in it, when it was lost', async () => {
    const world = await worlds.open();
    await want(world, true, ['first']);
    await world.live(hour);
    const entries = () => world.store.due.next(Number.MAX_SAFE_INTEGER, 100);
    const before = await entries();
    expect(before.map(({ job }) => job).sort()).toEqual(['deploy', 'deploy', 'issue', 'issue']);
    await world.store.changes.commit({ due: before.map(({ job, id }) => ({ job, id, at: undefined })) });
    expect(await world.run(refreshDue(world.needs))).toBe(4);
    expect(await entries()).toEqual(before);
    expect(await world.run(refreshDue(world.needs))).toBe(0);
  });

  it('puts nothing off, and leaves alone what is disabled', async () => {
    const world = await worlds.open();
    await want(world, true, ['first']);
    await world.live(hour);
    const id = 'example.com/a.example.com/ec';
    await world.store.changes.commit({ due: [{ job: 'issue', id, at: 5 }] });
    await world.run(refreshDue(world.needs));
    expect(await world.store.due.at('issue', id)).toBe(5);
    await world.want({ disabledAt: world.clock.now() }, []);
    await world.store.changes.commit({ due: [{ job: 'issue', id, at: undefined }] });
    await world.run(refreshDue(world.needs));
    expect(await world.store.due.at('issue', id)).toBeUndefined();
  });

  const leave = {
    'that left the file': (world: World) => world.want({ disabledAt: world.clock.now() }, []),
    'that was removed altogether': async (world: World) => {
      const edit = ({ hosts: removeHosts }: StoredWish) => ({ removeDomain: true, removeHosts });
      await world.run(changeWishes('example.com', edit, world.needs));
    },
  };

  it.each(Object.entries(leave))('has what is still to be revoked of a domain %s', async (_, leaves) => {
    const world = await worlds.open();
    await want(world, true, ['first']);
    await world.live(hour);
    const id = 'example.com/a.example.com/ec';
    world.gate.always('jobs.wake', async () => undefined);
    await leaves(world);
    await revokeIn(world, { target: id });
    await loseIndex(world);
    await world.run(refreshDue(world.needs));
    expect(await world.store.due.at('issue', id)).toBeDefined();
    await world.live(hour);
    expect((await world.store.renewals.get(id)).revokedAt).toBeDefined();
    expect(await world.run(refreshDue(world.needs))).toBe(0);
  });

  it.each(Object.entries(leave))('has the end of an order of a domain %s', async (_, leaves) => {
    const world = await worlds.open();
    world.first.ways.validationMs = day;
    await want(world, false, ['first']);
    await world.work();
    expect(await world.tokensLeft()).toBe(1);
    world.gate.always('jobs.wake', async () => undefined);
    await leaves(world);
    await loseIndex(world);
    await world.run(refreshDue(world.needs));
    await world.live(minute);
    expect(await world.store.issuances.all()).toEqual([]);
    expect(await world.tokensLeft()).toBe(0);
    expect(await world.run(refreshDue(world.needs))).toBe(0);
  });
});
