import { beforeEach, describe, expect, it } from 'vitest';
import { AgentError } from '../../../src/core/errors.ts';
import { refreshDue } from '../../../src/core/renewal/due-index.ts';
import { eachWorld } from '../each-world.ts';
import { failing } from '../gate.ts';
import { day, minute } from '../given.ts';
import { type World, www } from '../world.ts';

let world: World;

eachWorld((opened) => {
  world = opened;
});
beforeEach(async () => {
  world.settings.targetMarks = { web: 'one' };
  await world.want();
  await world.live(minute);
});

const slot = { lineage: www, domain: 'example.com', label: 'www.example.com', keyClass: 'ec' } as const;

/** The file gives the target another path, where nothing is, and was read. */
async function move(): Promise<void> {
  await world.web.deployer.remove?.(slot, new AbortController().signal);
  world.settings.targetMarks = { web: 'two' };
  await world.run(refreshDue(world.needs));
}

describe('a target that is another place now', () => {
  it('gets what it should show, once', async () => {
    await move();
    await world.live(minute);
    expect(world.web.shows(www)?.certificate.source).toBe('acme');
    const deployed = world.web.history.length;
    await world.run(refreshDue(world.needs));
    await world.live(day);
    expect(world.web.history).toHaveLength(deployed);
  });

  it('gets it though it failed at the old place, and has a ladder of its own at the new one', async () => {
    world.gate.always('web.deploy', failing(new AgentError('deploy.target', 'read-only file system')));
    await world.ask(true);
    await world.live(30 * minute);
    expect((await world.store.deployments.get('web', www))?.retryAt).toBeGreaterThan(world.clock.now());
    await move();
    const before = await world.store.deployments.get('web', www);
    await world.live(minute / 2);
    const after = await world.store.deployments.get('web', www);
    expect(after?.failures).toBe((before?.failures ?? 0) + 1);
    await world.run(refreshDue(world.needs));
    expect(await world.store.due.at('deploy', `web|${www}`)).toBe(after?.retryAt);
    world.gate.always('web.deploy', undefined);
    await world.live(2 * day);
    expect(world.web.shows(www)?.certificate.source).toBe('acme');
  });

  it('gets it though the file was read while the deployment to the old place was under way', async () => {
    world.gate.once('web.deploy', async (proceed) => {
      const shown = await proceed();
      world.settings.targetMarks = { web: 'two' };
      return shown;
    });
    await world.handle('deploy', `web|${www}`);
    expect(world.web.history).toHaveLength(4);
  });
});
