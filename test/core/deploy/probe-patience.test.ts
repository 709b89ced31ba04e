import { expect, it } from 'vitest';
import { probeTargets } from '../../../src/core/deploy/probe.ts';
import { eachWorld } from '../each-world.ts';
import { minute } from '../given.ts';
import { shows, unreachable } from '../scripted-prober.ts';
import { type World, www } from '../world.ts';

let world: World;

eachWorld((opened) => {
  world = opened;
});

it('a look after a deployment holds no worker for more than ten seconds, though a server is silent', async () => {
  const silent = '192.0.2.2';
  world.settings.probes = { web: ['192.0.2.1', silent].map((host) => ({ host, port: 443 })) };
  await world.want();
  await world.live(minute);
  const held = await world.store.certificates.certificate(www);
  if (held === undefined) throw new Error('nothing was issued');
  let silentMs = 0;
  world.prober.sights = async ({ at: { host } }) => {
    if (host !== silent) return [shows(`${host}:443`, { ...held, fingerprint: 'ab'.repeat(32) })];
    if (silentMs > 0) await world.gate.aside(world.clock.sleep(silentMs));
    return [unreachable(`${host}:443`)];
  };
  await world.run(probeTargets(world.needs, new AbortController().signal));
  silentMs = 5_000;
  const earlier = world.held.length;
  await world.live(2 * minute);
  expect((await world.store.deployments.get('web', www))?.amiss?.failures).toBeGreaterThan(0);
  const longest = Math.max(...world.held.slice(earlier));
  expect(longest).toBeGreaterThan(5_000);
  expect(longest).toBeLessThanOrEqual(10_000);
});
