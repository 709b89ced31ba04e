import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AgentError } from '../../../src/core/errors.ts';
import { refreshDue } from '../../../src/core/renewal/due-index.ts';
import { purge } from '../../../src/core/wishes/purge.ts';
import { changeWishes } from '../../../src/core/wishes/reconcile.ts';
import { failing } from '../gate.ts';
import { aHost, day, hour, minute } from '../given.ts';
import { startWorlds, type World, type Worlds, www } from '../world.ts';

let worlds: Worlds;
let world: World;

beforeAll(async () => {
  worlds = await startWorlds();
});
afterAll(() => worlds.stop());
beforeEach(async () => {
  world = await worlds.open();
});

const id = `web|${www}`;
const host = aHost('www.example.com');
const leave = () => changeWishes('example.com', () => ({ removeHosts: [host] }), world.needs);
const comeBack = () => changeWishes('example.com', () => ({ putHosts: [host] }), world.needs);
const purgeIt = () => purge(www, undefined, world.needs);
const recordOf = () => world.store.deployments.get('web', www);
const dueAt = () => world.store.due.at('deploy', id);

/** A host with its certificate at its target, which nobody asks for any more. */
async function leftOver(): Promise<void> {
  await world.want({ issuers: ['first'] }, ['www.example.com', 'api.example.com']);
  await world.live(minute);
  await world.run(leave());
  await world.live(minute);
  expect(world.web.shows(www)).toBeDefined();
}

describe('what a purged certificate left at its target', () => {
  beforeEach(leftOver);

  it('is taken away at once, and nothing else; nobody remembers it', async () => {
    expect(await world.run(purgeIt())).toBeUndefined();
    await world.work();
    expect(world.web.shows(www)).toBeUndefined();
    expect(world.web.shows('example.com/api.example.com/ec')).toBeDefined();
    expect([await recordOf(), await dueAt()]).toEqual([undefined, undefined]);
  });

  it('is tried again where it cannot be taken away', async () => {
    world.gate.always('web.remove', failing(new AgentError('deploy.target', 'the disk is read-only')));
    await world.run(purgeIt());
    await world.live(hour);
    expect(world.web.shows(www)).toBeDefined();
    expect(await recordOf()).toMatchObject({
      failures: 3,
      lastFailure: { message: 'the disk is read-only' },
    });
    world.gate.always('web.remove', undefined);
    await world.live(2 * hour);
    expect([world.web.shows(www), await recordOf()]).toEqual([undefined, undefined]);
  });

  it('is taken away in the end, wherever the process dies', async () => {
    for (const when of ['before', 'after'] as const)
      for (let count = 1, isOver = false; !isOver; count++) {
        world = await worlds.open();
        await leftOver();
        await world.run(purgeIt());
        world.gate.dieAt(count, when);
        await world.handle('deploy', id).catch(() => undefined);
        isOver = !world.gate.isDead;
        await world.takeOver();
        await world.live(10 * minute);
        expect([count, world.web.shows(www), await recordOf(), await dueAt()]).toEqual([
          ...[count, undefined, undefined, undefined],
        ]);
      }
  });

  it('stays when its host is back before that', async () => {
    await world.run(purgeIt());
    await world.run(comeBack());
    await world.live(minute);
    const now = await world.store.certificates.certificate(www);
    expect(now).toMatchObject({ generation: 1 });
    expect(world.web.shows(www)?.certificate.serial).toBe(now?.serial);
  });

  it('is there again when its host comes back while it is taken away', async () => {
    await world.run(purgeIt());
    world.gate.once('web.remove', async (proceed) => {
      await world.gate.aside(comeBack());
      return proceed();
    });
    await world.handle('deploy', id);
    expect(world.web.shows(www)?.certificate).toMatchObject({ source: 'self-signed' });
  });

  it('goes though it was being deployed when it was purged', async () => {
    await world.run(comeBack());
    world.gate.once('web.deploy', async (proceed) => {
      await world.gate.aside(leave().then(purgeIt));
      return proceed();
    });
    await world.handle('deploy', id);
    await world.live(minute);
    expect(await world.store.certificates.lineage(www)).toBeUndefined();
    expect([world.web.shows(www), await recordOf()]).toEqual([undefined, undefined]);
  });

  it('is taken away though the due index was lost, which puts off no further attempt', async () => {
    await world.run(purgeIt());
    const lose = () => world.store.changes.commit({ due: [{ job: 'deploy', id, at: undefined }] });
    await lose();
    await world.run(refreshDue(world.needs));
    expect(await dueAt()).toBe(world.clock.now());
    world.gate.always('web.remove', failing(new AgentError('deploy.target', 'the disk is read-only')));
    await world.work();
    const retryAt = (await recordOf())?.retryAt;
    await lose();
    await world.run(refreshDue(world.needs));
    expect([await dueAt(), (retryAt ?? 0) > world.clock.now()]).toEqual([retryAt, true]);
    world.gate.always('web.remove', undefined);
    await world.live(hour);
    expect([world.web.shows(www), await recordOf(), await dueAt()]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(await world.store.deployments.leaving()).toEqual([]);
    expect(await world.run(refreshDue(world.needs))).toBe(0);
  });

  it('is no more owed, by the due index computed anew, once its host is back', async () => {
    await world.run(purgeIt());
    await world.run(comeBack());
    await world.live(minute);
    const before = await dueAt();
    await world.store.changes.commit({ due: [{ job: 'deploy', id, at: undefined }] });
    await world.run(refreshDue(world.needs));
    expect([await dueAt(), (before ?? 0) > world.clock.now()]).toEqual([before, true]);
  });

  it('is forgotten where the file does not define the target any more', async () => {
    await world.run(purgeIt());
    world.settings.deployTargets = [];
    await world.live(minute);
    expect(world.web.shows(www)).toBeDefined();
    expect([await recordOf(), await dueAt()]).toEqual([undefined, undefined]);
  });
});

it('what was purged while it was deployed for the first time is taken away, and leaves no record', async () => {
  await world.want({ issuers: ['first'] });
  world.gate.once('web.deploy', async (proceed) => {
    const done = await proceed();
    await world.gate.aside(leave().then(purgeIt));
    return done;
  });
  await world.handle('deploy', id);
  await world.live(minute);
  expect(await world.store.certificates.lineage(www)).toBeUndefined();
  expect([world.web.shows(www), await recordOf(), await dueAt()]).toEqual([undefined, undefined, undefined]);
});

it('a certificate that is not in the store, but was not purged, stays at its target', async () => {
  await leftOver();
  await world.store.changes.commit({ removeLineages: [www] });
  await world.handle('deploy', id);
  await world.live(day);
  expect(world.web.shows(www)).toBeDefined();
});
