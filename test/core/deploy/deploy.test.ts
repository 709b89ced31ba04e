import { describe, expect, it } from 'vitest';
import { deploy } from '../../../src/core/deploy/deploy.ts';
import { AgentError } from '../../../src/core/errors.ts';
import { renew } from '../../../src/core/renewal/renew.ts';
import { eachWorld } from '../each-world.ts';
import { failing } from '../gate.ts';
import { day, hour, minute, t0 } from '../given.ts';
import { type World, www } from '../world.ts';

let world: World;

eachWorld((opened) => {
  world = opened;
});

const id = `web|${www}`;
const broken = failing(new AgentError('deploy.reload', 'nginx: configuration file test failed'));

const sources = () => world.web.history.map(({ certificate }) => certificate.source);
const typesOf = async () => (await world.store.events.recent(1000)).map(({ type }) => type).reverse();

describe('a target', () => {
  it('shows a self-signed certificate for exactly the names before the first order is made', async () => {
    await world.want();
    await world.handle('deploy', id);
    const shown = world.web.shows(www);
    expect(shown?.certificate).toMatchObject({ source: 'self-signed', names: ['www.example.com'] });
    expect(shown?.certificate.notAfter).toBeGreaterThan(t0 + 80 * day);
    expect(world.first.orders).toEqual([]);
    expect(await typesOf()).not.toContain('certificate.fallback');
  });

  it('that says when to come back is not asked before', async () => {
    await world.want();
    const retryAt = world.clock.now() + 2 * hour;
    world.gate.once('web.deploy', failing(new AgentError('deploy.target', 'too many', { retryAt })));
    await world.handle('deploy', id);
    expect(await world.store.due.at('deploy', id)).toBe(retryAt);
  });

  it('shows the issued certificate as soon as there is one', async () => {
    await world.want();
    await world.handle('deploy', id);
    await world.live(minute);
    expect(sources()).toEqual(['self-signed', 'acme']);
    expect(world.web.shows(www)?.certificate).toEqual(await world.store.certificates.certificate(www));
    expect(await world.store.deployments.get('web', www)).toMatchObject({
      observed: { source: 'acme' },
      failures: 0,
    });
  });

  it('shows the issued certificate though that came while the fallback was still being deployed', async () => {
    await world.want();
    world.gate.once('web.deploy', async (proceed) => {
      const shown = await proceed();
      // The CA answers faster than the server reloads; the job that this wakes finds ours running.
      await world.gate.aside(renewInside());
      return shown;
    });
    await world.handle('deploy', id);
    expect(world.web.shows(www)?.certificate.source).toBe('acme');
  });

  it('shows the issued certificate though the fallback failed meanwhile', async () => {
    await world.want();
    world.gate.once('web.deploy', async () => {
      await world.gate.aside(renewInside());
      throw new AgentError('deploy.reload', 'the server is restarting');
    });
    await world.handle('deploy', id);
    expect(world.web.shows(www)?.certificate.source).toBe('acme');
  });

  it('comes back when its target says so, and counts as deployed only when it was observed', async () => {
    await world.want();
    const again = t0 + 10_000;
    world.gate.once('web.deploy', async (proceed) => {
      await proceed();
      return { again };
    });
    expect(await world.handle('deploy', id)).toEqual({ again });
    expect(world.web.shows(www)).toBeDefined();
    expect(await world.store.deployments.get('web', www)).toBeUndefined();
    expect(await world.store.due.at('deploy', id)).toBe(again);
    expect(await typesOf()).not.toContain('deploy.done');
    await world.live(minute);
    expect(await world.store.deployments.get('web', www)).toMatchObject({ observed: { source: 'acme' } });
  });

  it('shows the issued certificate at once though its fallback has still to be taken up', async () => {
    await world.want();
    world.gate.once('web.deploy', async (proceed) => {
      await proceed();
      await world.gate.aside(renewInside());
      return { again: t0 + 10_000 };
    });
    expect(await world.handle('deploy', id)).toBeUndefined();
    expect(sources()).toEqual(['self-signed', 'acme']);
  });

  it('keeps a certificate that is still valid while its renewals fail, then falls back, then recovers', async () => {
    await world.want({ issuers: ['first'] });
    await world.live(minute);
    const { notAfter = 0 } = (await world.store.certificates.certificate(www)) ?? {};
    world.first.ways.verdict = () => ({ type: 'dns', detail: 'NXDOMAIN' });
    await world.live(notAfter - world.clock.now() - minute);
    expect(world.first.orders.length).toBeGreaterThan(10);
    expect(world.web.shows(www)?.certificate.source).toBe('acme');
    await world.live(2 * minute);
    expect(world.web.shows(www)?.certificate).toMatchObject({
      source: 'self-signed',
      names: ['www.example.com'],
    });
    expect(world.web.shows(www)?.certificate.notAfter).toBeGreaterThan(world.clock.now());
    const [told] = await world.events('certificate.fallback');
    expect(told?.facts).toMatchObject({ target: 'web', code: 'challenge.dns' });
    world.first.ways.verdict = () => undefined;
    await world.live(2 * day);
    expect(world.web.shows(www)?.certificate.source).toBe('acme');
    expect(await world.events('certificate.recovered')).toHaveLength(1);
    expect(await world.events('certificate.fallback')).toHaveLength(1);
    expect(world.hook.messages.flatMap(({ notices }) => notices.map(({ kind }) => kind)).at(-1)).toBe(
      'recovered',
    );
  });

  it('gets a new fallback before the old one expires, as long as nothing is issued', async () => {
    await world.want({ issuers: ['first'] });
    world.first.ways.verdict = () => ({ type: 'dns', detail: 'NXDOMAIN' });
    for (let month = 0; month < 8; month++) {
      await world.live(25 * day);
      const shown = world.web.shows(www)?.certificate;
      expect(shown?.source).toBe('self-signed');
      expect(shown?.notAfter).toBeGreaterThan(world.clock.now() + 25 * day);
    }
    expect(new Set(world.web.history.map(({ certificate }) => certificate.serial)).size).toBeGreaterThan(2);
  });

  it('gets a fallback that covers new names of the policy', async () => {
    await world.want({ issuers: ['first'], challenge: 'dns-01', dnsAccount: 'zone', mode: 'wildcard' }, []);
    const wildcard = 'example.com/*.example.com/ec';
    await world.handle('deploy', `web|${wildcard}`);
    expect(world.web.shows(wildcard)?.certificate.names).toEqual(['example.com', '*.example.com']);
  });

  it('that serves both key classes gets one fallback for both', async () => {
    await world.want({ keyTypes: ['p256', 'rsa2048'], issuers: ['first'] });
    const rsa = 'example.com/www.example.com/rsa';
    await world.handle('deploy', id);
    await world.handle('deploy', `web|${rsa}`);
    expect(world.web.shows(rsa)?.certificate.serial).toBe(world.web.shows(www)?.certificate.serial);
  });
});

describe('a deployment that fails', () => {
  it('stays on its own ladder, and the lineage knows nothing of it', async () => {
    await world.want();
    world.gate.always('web.deploy', broken);
    await world.live(5 * minute);
    expect(await world.store.renewals.get(www)).toMatchObject({ failures: 0 });
    expect((await world.store.renewals.get(www)).lastFailure).toBeUndefined();
    expect(world.first.orders).toHaveLength(1);
    const before = world.gate.calls.filter((call) => call === 'web.deploy').length;
    await world.live(3 * hour);
    const after = world.gate.calls.filter((call) => call === 'web.deploy').length;
    expect(after - before).toBeLessThanOrEqual(3);
    expect(await world.store.deployments.get('web', www)).toMatchObject({
      lastFailure: { code: 'deploy.reload' },
    });
    world.gate.always('web.deploy', undefined);
    await world.live(2 * day);
    expect(world.web.shows(www)?.certificate.source).toBe('acme');
  });

  it('is told at the second failure, once, and told again when it is mended', async () => {
    await world.want();
    await world.live(minute);
    world.gate.always('web.deploy', broken);
    await world.ask(true);
    await world.live(3 * hour);
    const told = (await world.events('deploy.failed')).map(({ facts }) => facts.tell);
    expect(told.slice(0, 4)).toEqual([false, true, false, false]);
    world.gate.always('web.deploy', undefined);
    await world.live(2 * day);
    expect(await world.events('deploy.recovered')).toHaveLength(1);
  });

  it('when the target shows another certificate than was deployed', async () => {
    await world.want();
    world.gate.once('web.deploy', async (proceed) => {
      await proceed();
      return { observed: 'somebody else' };
    });
    await world.handle('deploy', id);
    expect(await world.store.deployments.get('web', www)).toMatchObject({
      lastFailure: { code: 'deploy.mismatch' },
      retryAt: t0 + minute,
    });
  });

  it('because its target heeds no signal holds no worker for ever', async () => {
    await world.want();
    const deaf = { ...world.web.deployer, deploy: () => new Promise<never>(() => {}) };
    const needs = { ...world.needs, deployers: { get: () => deaf } };
    await world.run(deploy({ target: 'web', lineage: www }, needs, new AbortController().signal));
    expect(await world.store.deployments.get('web', www)).toMatchObject({
      failures: 1,
      lastFailure: { code: 'deploy.target', message: 'web was not done within 300 s' },
    });
    await world.live(5 * minute);
    expect(world.web.shows(www)?.certificate.source).toBe('acme');
  });

  it('is forgotten with its domain', async () => {
    await world.want();
    world.gate.always('web.deploy', broken);
    await world.live(minute);
    await world.want({ deploy: [] });
    await world.handle('deploy', id);
    expect(await world.store.due.at('deploy', id)).toBeUndefined();
  });

  it('and was killed anywhere is ended by the next one', async () => {
    await world.want({ issuers: ['first'] });
    world.gate.always('first.newOrder', failing(new AgentError('acme.network', 'no route')));
    for (let count = 1; ; count++) {
      await world.want({ name: `d${count}.test`, issuers: ['first'] }, [`www.d${count}.test`]);
      const lineage = `d${count}.test/www.d${count}.test/ec`;
      world.gate.dieAt(count, count % 2 === 0 ? 'before' : 'after');
      await world.handle('deploy', `web|${lineage}`).catch(() => undefined);
      const died = world.gate.isDead;
      await world.takeOver();
      await world.live(2 * minute);
      expect(world.web.shows(lineage)?.certificate.source).toBe('self-signed');
      expect(await world.store.deployments.get('web', lineage)).toMatchObject({ failures: 0 });
      expect(
        (await world.store.certificates.lineage(`d${count}.test/www.d${count}.test/fallback`))?.generations,
      ).toEqual([1]);
      if (died) continue;
      // It was killed at all the calls there are.
      expect(count).toBeGreaterThan(5);
      return;
    }
  });
});

async function renewInside(): Promise<void> {
  await renew(www, world.needs, new AbortController().signal);
}
