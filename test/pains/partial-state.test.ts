import { createPrivateKey, X509Certificate } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import { AgentError } from '../../src/core/errors.ts';
import type { Bundle } from '../../src/core/types.ts';
import { failing } from '../core/gate.ts';
import { day, hour, minute } from '../core/given.ts';
import { type CheapWorld, openCheapWorld, www } from '../core/world.ts';

let world: CheapWorld;

beforeEach(() => {
  world = openCheapWorld();
});

function matches({ leafDer, chainDer, privateKey }: Bundle): boolean {
  const leaf = new X509Certificate(leafDer);
  const key = createPrivateKey({ key: Buffer.from(privateKey.reveal()), format: 'der', type: 'pkcs8' });
  const [issuer] = chainDer;
  const isIssued = issuer === undefined || leaf.checkIssued(new X509Certificate(issuer));
  return leaf.checkPrivateKey(key) && isIssued;
}

/** What every call of a renewal meets, one call at a time. */
const calls = [
  'acme.session',
  'first.newOrder',
  'first.authorization',
  'http-01.present',
  'first.respond',
  'first.order',
  'first.finalize',
  'first.certificate',
  'pki.generateKey',
] as const;

describe('a renewal that fails', () => {
  it.each(calls)('at %s leaves key, chain and certificate as they were, at the target too', async (call) => {
    await world.want({ issuers: ['first'] });
    await world.live(minute);
    const before = await world.store.certificates.bundle(www);
    const served = world.web.shows(www);
    world.gate.always(call, failing(new AgentError('acme.server', 'it broke')));
    await world.ask(true);
    await world.live(3 * hour);
    expect(await world.store.certificates.bundle(www)).toEqual(before);
    expect((await world.store.certificates.lineage(www))?.generations).toEqual([1]);
    expect(world.web.shows(www)).toBe(served);
    world.gate.always(call, undefined);
    await world.live(day + 3 * hour);
    const after = await world.store.certificates.bundle(www);
    expect(after?.certificate.generation).toBe(2);
    expect(after !== undefined && matches(after)).toBe(true);
    expect(await world.store.issuances.all()).toEqual([]);
    expect(await world.tokensLeft()).toBe(0);
  });
});

describe('whoever reads in the middle of a renewal', () => {
  it('never meets a key that does not match its certificate, nor the chain of another one', async () => {
    await world.want({ issuers: ['first'] });
    await world.live(minute);
    const seen: boolean[] = [];
    for (const call of [...calls, 'changes.commit', 'web.deploy', 'lock.release'])
      world.gate.always(call, async (proceed) => {
        for (const bundle of [await world.store.certificates.bundle(www), world.web.shows(www)])
          seen.push(bundle !== undefined && matches(bundle));
        return proceed();
      });
    await world.ask(true);
    await world.live(minute);
    expect((await world.store.certificates.certificate(www))?.generation).toBe(2);
    expect(seen.length).toBeGreaterThan(20);
    expect(seen).not.toContain(false);
  });
});

describe('an order that fails', () => {
  it.each([...calls.slice(2, 8).map((call) => call.replace('http-01', 'dns-01')), 'dns-01.ready'])(
    'at %s, for a day, fills no zone with records',
    async (call) => {
      world.gate.always(call, failing(new AgentError('acme.malformed', 'it broke')));
      await world.want({ issuers: ['first'], challenge: 'dns-01', dnsAccount: 'zone' });
      const left: number[] = [];
      for (let hours = 0; hours < 24; hours++) {
        await world.live(hour);
        left.push(world.zone.records.size);
      }
      expect(Math.max(...left)).toBeLessThanOrEqual(1);
      world.gate.always(call, undefined);
      await world.live(2 * day);
      expect(await world.store.certificates.certificate(www)).toBeDefined();
      expect(world.zone.records.size).toBe(0);
    },
  );
});

describe('a worker that dies with its lock', () => {
  it('is followed by another one, which nobody has to clear the way for', async () => {
    await world.want({ issuers: ['first'] });
    world.gate.dieAt(12, 'before');
    await world.handle('issue', www).catch(() => undefined);
    expect(world.gate.isDead).toBe(true);
    await world.takeOver();
    await world.live(5 * minute);
    expect((await world.store.certificates.certificate(www))?.generation).toBe(1);
  });
});

describe('a wish that was kept with the certificate', () => {
  it('is what a renewal asks for: its profile and all its names', async () => {
    world.first.ways.profiles = ['classic', 'tlsserver'];
    await world.want({ issuers: ['first'], profile: { name: 'tlsserver', required: false } });
    await world.live(minute);
    const { renewAt = 0 } = await world.store.renewals.get(www);
    await world.live(renewAt + minute - world.clock.now());
    const asked = world.first.orders.map(({ asked: { names, profile } }) => ({ names, profile }));
    expect(asked).toHaveLength(2);
    expect(asked[1]).toEqual(asked[0]);
    expect(asked[1]?.profile).toBe('tlsserver');
  });
});
