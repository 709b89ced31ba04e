import { beforeEach, describe, expect, it } from 'vitest';
import { lookAtTargets } from '../../../src/core/deploy/look.ts';
import { AgentError } from '../../../src/core/errors.ts';
import { changeWishes } from '../../../src/core/wishes/reconcile.ts';
import { eachWorld } from '../each-world.ts';
import { failing } from '../gate.ts';
import { aHost, day, hour, minute } from '../given.ts';
import { type World, www } from '../world.ts';

let world: World;

eachWorld((opened) => {
  world = opened;
});
beforeEach(async () => {
  await world.want({}, ['www.example.com', 'shop.example.com']);
  await world.live(minute);
});

const id = `web|${www}`;
const slot = { lineage: www, domain: 'example.com', label: 'www.example.com', keyClass: 'ec' } as const;
const never = new AbortController().signal;

const look = () => world.run(lookAtTargets(world.needs, never));
const looks = () => world.gate.calls.filter((call) => call === 'web.observe').length;
const takeAway = async () => world.web.deployer.remove?.(slot, never);

describe('a look at the targets', () => {
  it('changes nothing where all is in place', async () => {
    const before = await world.store.deployments.get('web', www);
    await look();
    expect(looks()).toBe(2);
    expect(await world.store.deployments.get('web', www)).toEqual(before);
    expect(world.woken).toEqual([]);
  });

  it('has deployed anew what somebody took away, and only that', async () => {
    await takeAway();
    const deployed = world.web.history.length;
    await look();
    expect(world.woken).toEqual([{ job: 'deploy', id }]);
    await world.live(minute);
    expect(world.web.shows(www)?.certificate.source).toBe('acme');
    expect(world.web.history).toHaveLength(deployed + 1);
    await look();
    expect(world.woken).toEqual([]);
  });

  it('has deployed anew what somebody replaced', async () => {
    world.gate.once('web.observe', async () => 'of somebody else');
    await look();
    expect(world.woken).toHaveLength(1);
  });

  it('leaves what is missing due though the job it woke got lost', async () => {
    await takeAway();
    await look();
    expect(await world.store.due.at('deploy', id)).toBe(world.clock.now());
  });

  it('has one deployment find out about a target that cannot be looked at, on its own ladder', async () => {
    const fault = new AgentError('deploy.target', 'read-only file system');
    world.gate.always('web.observe', failing(fault));
    world.gate.always('web.deploy', failing(fault));
    await look();
    expect(looks()).toBe(1);
    await world.live(hour);
    expect(await world.events('deploy.failed')).not.toEqual([]);
    expect((await world.events('deploy.failed')).some(({ facts }) => facts.tell === true)).toBe(true);
    // Its own ladder brings that one back; the other one is looked at.
    await look();
    expect(looks()).toBe(2);
    world.gate.always('web.observe', undefined);
    world.gate.always('web.deploy', undefined);
    await world.live(2 * day);
    expect(world.web.shows(www)?.certificate.source).toBe('acme');
  });

  it('goes on past a deployment whose files do not belong together', async () => {
    world.gate.once('web.observe', failing(new AgentError('deploy.mismatch', 'another key')));
    await look();
    expect(looks()).toBe(2);
    expect(world.woken).toHaveLength(1);
  });

  it('leaves what was deployed meanwhile to whoever did that', async () => {
    world.gate.once('web.observe', async () => {
      await world.gate.aside(world.needs.changes.commit({ putDeployments: [await placed()] }));
      return undefined;
    });
    await look();
    expect(await placed()).toMatchObject({ observed: { source: 'acme' } });
  });

  it('passes over what nobody wants any more', async () => {
    const edit = () => ({ removeHosts: [aHost('www.example.com')] });
    await world.run(changeWishes('example.com', edit, world.needs));
    await look();
    expect(looks()).toBe(1);
  });
});

async function placed() {
  const deployment = await world.store.deployments.get('web', www);
  if (deployment === undefined) throw new Error('nothing was deployed');
  return deployment;
}
