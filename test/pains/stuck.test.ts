import { beforeEach, describe, expect, it } from 'vitest';
import { AgentError } from '../../src/core/errors.ts';
import { changeWishes } from '../../src/core/wishes/reconcile.ts';
import { failing } from '../core/gate.ts';
import { day, hour, minute } from '../core/given.ts';
import { type CheapWorld, openCheapWorld, www } from '../core/world.ts';

let world: CheapWorld;

beforeEach(() => {
  world = openCheapWorld();
});

const idOf = (host: string) => `example.com/${host}/ec`;
const certificateOf = (host: string) => world.store.certificates.certificate(idOf(host));

describe('a challenge that hangs', () => {
  it('at the CA for ever holds neither a worker nor the other hosts, and is given up', async () => {
    world.first.ways.validationMs = 1000 * day;
    await world.want({ issuers: ['first'] }, ['a.example.com']);
    const began = world.clock.trueNow();
    await world.handle('issue', idOf('a.example.com'));
    expect(world.clock.trueNow() - began).toBeLessThanOrEqual(11_000);
    world.first.ways.validationMs = 40;
    await world.want({ issuers: ['first'] }, ['b.example.com', 'c.example.com']);
    await world.live(minute);
    expect(await certificateOf('b.example.com')).toBeDefined();
    expect(await certificateOf('c.example.com')).toBeDefined();
    await world.live(3 * hour);
    expect(await certificateOf('a.example.com')).toBeDefined();
  });

  it('in a zone that never shows its record is a failure with words, on the ladder, and leaves no record', async () => {
    world.gate.always('dns-01.ready', async () => {
      if (world.clock.now() % hour < 30 * minute) return { checkAgainAt: world.clock.now() + minute };
      throw new AgentError('dns.propagation', 'ns1.example.com does not show the record');
    });
    await world.want({ issuers: ['first'], challenge: 'dns-01', dnsAccount: 'zone' });
    await world.live(2 * hour);
    const { lastFailure, failures } = await world.store.renewals.get(www);
    expect(lastFailure?.message).toContain('ns1.example.com');
    expect(failures).toBeGreaterThan(0);
    expect(world.zone.records.size).toBeLessThanOrEqual(1);
  });
});

describe('a CA that goes away', () => {
  it('for good, with a certificate to renew, is replaced by the next one long before expiry', async () => {
    await world.want();
    await world.live(minute);
    const { notAfter = 0 } = (await world.store.certificates.certificate(www)) ?? {};
    for (const call of ['newOrder', 'order', 'authorization', 'finalize'])
      world.gate.always(`first.${call}`, failing(new AgentError('acme.network', 'no such host')));
    await world.live(notAfter - 25 * day - world.clock.now());
    expect(await world.store.certificates.certificate(www)).toMatchObject({
      issuer: 'second',
      generation: 2,
    });
    const [order] = world.second.orders;
    expect(order?.asked.replaces).toBeUndefined();
  });
});

describe('a deployment that fails', () => {
  it('for days is tried until it is there, told, and costs no second order', async () => {
    world.gate.always('web.deploy', failing(new AgentError('deploy.target', 'the disk is full')));
    await world.want({ issuers: ['first'] });
    await world.live(3 * day);
    expect(world.web.shows(www)).toBeUndefined();
    expect(await world.events('deploy.failed')).not.toEqual([]);
    expect((await world.store.renewals.get(www)).failures).toBe(0);
    world.gate.always('web.deploy', undefined);
    await world.live(1.2 * day);
    expect(world.web.shows(www)?.certificate).toMatchObject({ source: 'acme', generation: 1 });
    expect(world.first.orders).toHaveLength(1);
  });

  it('after a renewal leaves what was served, and is not forgotten though the renewal was a success', async () => {
    await world.want({ issuers: ['first'] });
    await world.live(minute);
    world.gate.always('web.deploy', failing(new AgentError('deploy.reload', 'the program failed')));
    await world.ask(true);
    await world.live(hour);
    expect(world.web.shows(www)?.certificate.generation).toBe(1);
    world.gate.always('web.deploy', undefined);
    await world.live(day);
    expect(world.web.shows(www)?.certificate.generation).toBe(2);
  });
});

describe('the self-signed stand-in', () => {
  it('never takes the place of a certificate that is valid, though renewals fail and the process starts anew', async () => {
    await world.want({ issuers: ['first'] });
    await world.live(minute);
    const { notAfter = 0 } = (await world.store.certificates.certificate(www)) ?? {};
    world.first.ways.verdict = () => ({ type: 'dns', detail: 'NXDOMAIN' });
    const sources = new Set<string>();
    while (world.clock.now() < notAfter - 2 * day) {
      await world.live(day);
      await world.takeOver();
      await world.handle('deploy', `web|${www}`);
      sources.add(world.web.shows(www)?.certificate.source ?? 'nothing');
    }
    expect([...sources]).toEqual(['acme']);
  });
});

describe('a host whose DNS has left for good', () => {
  it('with an expired certificate is asked for once a day at most, and not at all once it is removed', async () => {
    await world.want({ issuers: ['first'] });
    await world.live(minute);
    world.first.ways.verdict = () => ({ type: 'dns', detail: 'NXDOMAIN' });
    await world.live(100 * day);
    const before = world.first.orders.length;
    await world.live(10 * day);
    expect(world.first.orders.length - before).toBeLessThanOrEqual(11);
    const removeHosts = await world.store.wishes.hosts('example.com');
    await world.run(changeWishes('example.com', () => ({ removeHosts }), world.needs));
    await world.live(8 * day);
    const after = world.first.orders.length;
    await world.live(60 * day);
    expect(world.first.orders).toHaveLength(after);
    expect(await world.store.due.at('issue', www)).toBeUndefined();
  });
});
