import { createHash } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import { probeTargets } from '../../../src/core/deploy/probe.ts';
import { AgentError } from '../../../src/core/errors.ts';
import type { ProbeQuestion, Sight } from '../../../src/core/ports.ts';
import { eachWorld } from '../each-world.ts';
import { day, hour, minute } from '../given.ts';
import { shows, unreachable } from '../scripted-prober.ts';
import { type World, www } from '../world.ts';

let world: World;

eachWorld((opened) => {
  world = opened;
});

const never = new AbortController().signal;
const edge = { host: '192.0.2.1', port: 443 };
const other = { host: '2001:db8::1', port: 8443 };
const at = '192.0.2.1:443';
const otherAt = '[2001:db8::1]:8443';

beforeEach(async () => {
  world.settings.probes = { web: [edge] };
  await world.want();
  await world.live(minute);
});

const probe = () => world.run(probeTargets(world.needs, never));
const noticed = (kind: string) =>
  world.hook.messages.flatMap(({ notices }) => notices).filter((notice) => notice.kind === kind);
const deployments = () => world.web.history.length;

async function deployment() {
  const found = await world.store.deployments.get('web', www);
  if (found === undefined) throw new Error('nothing was deployed');
  return found;
}

async function held() {
  const certificate = await world.store.certificates.certificate(www);
  if (certificate === undefined) throw new Error('nothing was issued');
  return certificate;
}

/** What the servers show from now on: what is right, or something else. */
async function servers(sights: Readonly<Record<string, 'right' | 'wrong' | 'bare' | 'refused' | 'gone'>>) {
  const right = await held();
  const sightOf = (address: string): Sight => {
    switch (sights[address]) {
      case 'right':
        return shows(address, right);
      case 'wrong':
        return shows(address, {
          ...right,
          fingerprint: 'ab'.repeat(32),
          serial: '0f',
          issuerName: 'Another CA',
        });
      case 'bare':
        return shows(address, right, { missing: 'Scripted Intermediate' });
      case 'refused':
        return { address, kind: 'refused', message: 'tlsv1 unrecognized name' };
      default:
        return unreachable(address);
    }
  };
  world.prober.sights = (question: ProbeQuestion) => [sightOf(question.at.port === 443 ? at : otherAt)];
}

describe('a look at what clients are shown', () => {
  it('asks nobody while no target of the file is probed', async () => {
    world.settings.probes = {};
    await probe();
    expect(world.prober.asked).toEqual([]);
  });

  it('changes nothing where all is right, and asks each address for the name', async () => {
    world.settings.probes = { web: [edge, other] };
    await servers({ [at]: 'right', [otherAt]: 'right' });
    const before = await deployment();
    await probe();
    expect(world.prober.asked).toEqual([
      { at: edge, name: 'www.example.com', keyClass: undefined },
      { at: other, name: 'www.example.com', keyClass: undefined },
    ]);
    expect(await deployment()).toEqual(before);
    expect(await world.events('probe.failed')).toEqual([]);
  });

  it('has deployed anew what clients are shown otherwise, on the ladder, and tells that once', async () => {
    await servers({ [at]: 'wrong' });
    const before = deployments();
    await probe();
    expect((await deployment()).amiss).toMatchObject({ addresses: [at], failures: 0 });
    expect(await world.store.due.at('deploy', `web|${www}`)).toBe(world.clock.now());
    expect(world.woken).toContainEqual({ job: 'deploy', id: `web|${www}` });
    await world.live(0.5 * minute);
    expect(deployments()).toBe(before + 1);
    // Then after a minute, ten and a hundred.
    await world.live(2 * minute);
    expect(deployments()).toBe(before + 2);
    await world.live(11 * minute);
    expect(deployments()).toBe(before + 3);
    await world.live(hour);
    // Looks are no steps of the ladder.
    const { failures, retryAt } = (await deployment()).amiss ?? {};
    for (let looks = 0; looks < 3; looks += 1) await probe();
    expect((await deployment()).amiss).toMatchObject({ failures, retryAt });
    await world.live(minute);
    expect(deployments()).toBe(before + 3);
    await world.live(hour);
    expect(deployments()).toBe(before + 4);
    expect(await world.events('probe.failed')).toHaveLength(1);
    expect(noticed('probe-failed')).toMatchObject([
      {
        names: ['www.example.com'],
        message: expect.stringContaining(
          'web: 192.0.2.1:443 shows another certificate than was deployed: one of Another CA with serial number 0f',
        ),
      },
    ]);
  });

  it('is over, and told, once the deployment has mended it', async () => {
    await servers({ [at]: 'wrong' });
    await probe();
    await servers({ [at]: 'right' });
    await world.live(2 * minute);
    expect((await deployment()).amiss).toBeUndefined();
    expect(noticed('probe-recovered')).toHaveLength(1);
    const before = deployments();
    await probe();
    await world.live(3 * hour);
    expect(deployments()).toBe(before);
    expect(await world.events('probe.failed')).toHaveLength(1);
  });

  it('tells the target since when clients were shown something else, so that it has its readers look again', async () => {
    await servers({ [at]: 'wrong' });
    await probe();
    const seenAt = (await deployment()).amiss?.at;
    const requests: unknown[] = [];
    world.gate.always('web.deploy', async (proceed, [request]) => {
      requests.push(request);
      return proceed();
    });
    await servers({ [at]: 'right' });
    await world.live(2 * minute);
    expect(requests).toMatchObject([{ amissAt: seenAt }]);
  });

  it('waits a moment for a server that is about to take up what was deployed', async () => {
    const right = await held();
    let looks = 0;
    world.prober.sights = () => [
      looks++ === 0 ? shows(at, { ...right, fingerprint: 'ab'.repeat(32) }) : shows(at, right),
    ];
    await probe();
    expect(looks).toBe(2);
    expect(await world.events('probe.failed')).toEqual([]);
  });

  it.each([
    ['without its intermediate', 'bare', 'without the intermediate certificate of Scripted Intermediate'],
    ['not at all', 'refused', 'shows nothing for www.example.com: tlsv1 unrecognized name'],
  ] as const)('finds amiss what is shown %s', async (_, sight, message) => {
    await servers({ [at]: sight });
    await probe();
    expect((await deployment()).amiss?.message).toContain(message);
  });

  it('finds nothing missing above what the CA itself delivered', async () => {
    const right = await held();
    const bundle = await world.store.certificates.bundle(www);
    expect(bundle?.chainDer.length).toBe(1);
    const top = createHash('sha256')
      .update(bundle?.chainDer[0] ?? '')
      .digest('hex');
    world.prober.sights = () => [shows(at, right, { chain: [right.fingerprint, top], missing: 'A Root' })];
    await probe();
    expect((await deployment()).amiss).toBeUndefined();
    world.prober.sights = () => [shows(at, right, { missing: 'Its issuer' })];
    await probe();
    expect((await deployment()).amiss?.message).toContain(
      'without the intermediate certificate of Its issuer',
    );
  });

  it('finds amiss a certificate for another name, and an expired one', async () => {
    const right = await held();
    world.prober.sights = () => [shows(at, { ...right, names: ['a.test', 'b.test'] })];
    await probe();
    expect((await deployment()).amiss?.message).toBe(
      `${at} shows a certificate for a.test, b.test, not for www.example.com`,
    );
    world.prober.sights = () => [shows(at, { ...right, notAfter: world.clock.now() - day })];
    await probe();
    expect((await deployment()).amiss?.message).toContain('which expired on');
  });

  it('takes a server that is not reached for no mismatch: nothing is deployed, and nobody is told', async () => {
    await servers({ [at]: 'gone' });
    const before = deployments();
    await probe();
    await world.live(3 * hour);
    expect(deployments()).toBe(before);
    expect((await deployment()).amiss).toBeUndefined();
    expect(world.hook.messages.flatMap(({ notices }) => notices)).toEqual([]);
    expect(world.log.filter((line) => line.includes('not reached by a probe'))).toHaveLength(1);
  });

  it('asks an address that is silent once in a round, not for each host', async () => {
    const many = Array.from({ length: 12 }, (_, index) => `h${index}.example.com`);
    await world.want({}, many);
    await world.live(minute);
    await servers({ [at]: 'gone' });
    world.gate.always('prober.look', async (proceed) => proceed());
    await probe();
    expect(world.prober.asked.length).toBeLessThanOrEqual(8);
  });

  it('is over only when each address where it was seen is right again', async () => {
    world.settings.probes = { web: [edge, other] };
    await servers({ [at]: 'right', [otherAt]: 'wrong' });
    await probe();
    await servers({ [at]: 'right', [otherAt]: 'gone' });
    await world.live(2 * minute);
    expect((await deployment()).amiss).toMatchObject({ addresses: [otherAt] });
    await world.live(4 * hour);
    expect(noticed('probe-recovered')).toEqual([]);
    await servers({ [at]: 'right', [otherAt]: 'right' });
    await probe();
    await world.live(minute);
    expect((await deployment()).amiss).toBeUndefined();
    expect(noticed('probe-recovered')).toHaveLength(1);
  });

  it('forgets what was amiss when the target is not probed any more', async () => {
    await servers({ [at]: 'wrong' });
    await probe();
    world.settings.probes = {};
    await world.live(2 * minute);
    expect((await deployment()).amiss).toBeUndefined();
    expect(await world.store.due.at('deploy', `web|${www}`)).toBeGreaterThan(world.clock.now() + hour);
  });

  it('climbs on after a look that the redeployment had no time for', async () => {
    await servers({ [at]: 'wrong' });
    await probe();
    await servers({ [at]: 'gone' });
    const before = deployments();
    await world.live(2 * minute);
    expect(deployments()).toBe(before + 1);
    expect((await deployment()).amiss?.retryAt).toBeUndefined();
    await servers({ [at]: 'wrong' });
    await probe();
    expect((await deployment()).amiss).toMatchObject({ failures: 1 });
    await world.live(2 * minute);
    expect(deployments()).toBe(before + 2);
  });

  it('keeps what was amiss while the target cannot be deployed to', async () => {
    await servers({ [at]: 'wrong' });
    await probe();
    world.gate.once('web.deploy', async () => {
      throw new AgentError('deploy.target', 'disk full');
    });
    await world.live(0.5 * minute);
    expect(await deployment()).toMatchObject({ failures: 1, amiss: { addresses: [at] } });
    await servers({ [at]: 'right' });
    await world.live(5 * minute);
    expect(await deployment()).toMatchObject({ failures: 0 });
    expect((await deployment()).amiss).toBeUndefined();
  });

  it('asks for a wildcard by the hosts under it', async () => {
    await world.want({ name: 'example.org', mode: 'wildcard', challenge: 'dns-01', dnsAccount: 'zone' }, [
      'www.example.org',
      'a.b.example.org',
    ]);
    await world.live(10 * minute);
    await servers({ [at]: 'refused' });
    world.prober.asked.length = 0;
    await probe();
    const names = new Set(world.prober.asked.map(({ name }) => name));
    expect([...names].toSorted()).toEqual([
      'a.b.example.org',
      'example.org',
      'www.example.com',
      'www.example.org',
    ]);
  });
});
