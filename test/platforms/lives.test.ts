import { describe, expect, it } from 'vitest';
import { changeWishes } from '../../src/core/wishes/reconcile.ts';
import { bind, unbind } from '../../src/operations/bind.ts';
import { certsPurge } from '../../src/operations/certs-purge.ts';
import { certsRemove } from '../../src/operations/certs-remove.ts';
import { renew } from '../../src/operations/renew.ts';
import { eachWorld } from '../core/each-world.ts';
import { aHost, day, hour, minute, t0 } from '../core/given.ts';
import { runIn } from '../core/run-command.ts';
import { handInto } from '../core/uploads/hand-in.ts';
import { type World, www } from '../core/world.ts';

let world: World;

eachWorld((opened) => {
  world = opened;
});

const shown = (lineage = www) => world.web.shows(lineage)?.certificate;
const orders = () => world.first.orders.length + world.second.orders.length;

function breakDns(): void {
  world.first.ways.verdict = (name) =>
    name === 'bad.example.com' ? { type: 'dns', detail: 'NXDOMAIN' } : undefined;
  world.second.ways.verdict = world.first.ways.verdict;
}

function breakAll(): void {
  world.first.ways.verdict = () => ({ type: 'dns', detail: 'NXDOMAIN' });
  world.second.ways.verdict = world.first.ways.verdict;
}

describe('as time goes by:', () => {
  it('D6 what is added, replaced under the same name, or removed is at the targets within a minute', async () => {
    await world.want({ mode: 'custom' }, []);
    const { id, serial } = await handInto(world, ['www.example.com']);
    await world.live(minute);
    expect(shown(id)?.serial).toBe(serial);
    const next = await handInto(world, ['www.example.com']);
    expect(next.id).toBe(id);
    await world.live(minute);
    expect(shown(id)?.serial).toBe(next.serial);
    await runIn(world, certsRemove, { id, force: true });
    await world.live(minute);
    expect(shown(id)).toBeUndefined();
  });

  it('V6 what is bound stays bound through every deployment, renewal and change of the domain', async () => {
    await world.want();
    await world.live(minute);
    const { id } = await handInto(world, ['b.example.com'], { input: { name: 'b.example.com' } });
    await runIn(world, bind, { name: 'www.example.com', certificates: [id], force: true });
    await world.live(minute);
    const steps = [
      () => world.want({ contacts: ['c@example.com'] }),
      () => world.ask(true),
      () => world.want({ keyTypes: ['p384'] }),
      () => world.pass(30 * day),
    ];
    for (const step of steps) {
      await step();
      await world.live(hour);
      expect(shown()?.lineage).toBe(id);
    }
    await runIn(world, unbind, { names: ['www.example.com'] });
    await world.live(minute);
    expect(shown()?.lineage).toBe(www);
  });

  it('V8 what is renewed reaches every place that it is bound to, without anybody asking', async () => {
    await world.want();
    await world.want({ name: 'example.org' }, ['a.example.org']);
    await world.live(minute);
    const other = 'example.org/a.example.org/ec';
    await runIn(world, bind, { name: 'www.example.com', certificates: [other], force: true });
    const before = (await world.store.certificates.certificate(other))?.serial;
    await world.live(70 * day);
    const { serial } = (await world.store.certificates.certificate(other)) ?? {};
    expect(serial).not.toBe(before);
    expect(shown()?.serial).toBe(serial);
    expect(shown(other)?.serial).toBe(serial);
  });

  it('V9 a certificate that covers all names is used before one is requested, and a request that is pending again', async () => {
    await world.want();
    await Promise.all([runIn(world, renew, { target: www }), runIn(world, renew, { target: www })]);
    await world.live(hour);
    expect(orders()).toBe(1);
    await world.run(
      changeWishes('example.com', () => ({ removeHosts: [aHost('www.example.com')] }), world.needs),
    );
    await world.live(20 * day);
    await world.want();
    await world.live(hour);
    expect(orders()).toBe(1);
    expect(shown()?.source).toBe('acme');
  });

  it('C2 another CA, or other names, are ordered at the next look; nothing else is', async () => {
    await world.want({ issuers: ['first'] });
    await world.live(hour);
    await world.want({ issuers: ['first'], contacts: ['b@example.com'] });
    await world.live(hour);
    expect(world.first.orders).toHaveLength(1);
    await world.want({ issuers: ['second'] });
    await world.live(hour);
    expect(world.second.orders).toHaveLength(1);
    expect(shown()?.issuer).toBe('second');
  });

  it('C4 the parts of an upload must be there, fit, and be for the name; for a domain both it and its wildcard', async () => {
    await world.want({ mode: 'custom' }, []);
    const attempt = (names: readonly string[], more: object = {}) => handInto(world, names, more);
    await expect(attempt(['www.example.com'], { input: { name: 'shop.example.com' } })).rejects.toMatchObject(
      {
        message: 'the certificate is not for shop.example.com, but for www.example.com',
      },
    );
    await expect(
      attempt(['www.example.com'], { notAfter: t0 - day, notBefore: t0 - 2 * day }),
    ).rejects.toMatchObject({
      message: expect.stringContaining('it expired at'),
    });
    await expect(attempt(['*.example.com'])).rejects.toMatchObject({
      message: expect.stringContaining('needs both example.com and *.example.com'),
    });
    const { id } = await attempt(['example.com', '*.example.com']);
    // Cloudron unsets it by an empty pair.
    await runIn(world, certsRemove, { id, force: true });
    expect(await world.store.certificates.lineage(id)).toBeUndefined();
  });

  it('C5 an upload comes before what is ordered, that before the fallback, and nobody renews an upload', async () => {
    await world.want({ issuers: ['first'] });
    await world.handle('deploy', `web|${www}`);
    expect(shown()?.source).toBe('self-signed');
    await world.live(minute);
    expect(shown()?.source).toBe('acme');
    const { id } = await handInto(world, ['www.example.com']);
    await world.live(minute);
    expect(shown()?.source).toBe('upload');
    await world.live(80 * day);
    expect(await world.store.certificates.lineage(id)).toMatchObject({ generations: [1] });
    expect(await world.store.due.at('issue', id)).toBeUndefined();
    await world.live(20 * day);
    // It expired; what was ordered has been renewed meanwhile, and takes over.
    expect(shown()).toMatchObject({ source: 'acme' });
    expect(shown()?.notAfter).toBeGreaterThan(world.clock.now());
  });

  it('C6 a domain has a self-signed certificate for itself and its wildcard at once, until one is uploaded', async () => {
    breakAll();
    await world.want({ mode: 'wildcard', challenge: 'dns-01', dnsAccount: 'zone', issuers: ['first'] }, []);
    const wildcard = 'example.com/*.example.com/ec';
    await world.handle('deploy', `web|${wildcard}`);
    expect(shown(wildcard)).toMatchObject({ source: 'self-signed', names: ['example.com', '*.example.com'] });
    const { id } = await handInto(world, ['example.com', '*.example.com']);
    await world.live(minute);
    expect(shown(wildcard)?.lineage).toBe(id);
  });

  it('C7 a name whose first issuance fails is reachable by TLS all the same', async () => {
    breakAll();
    await world.want();
    await world.live(hour);
    expect(shown()).toMatchObject({ source: 'self-signed', names: ['www.example.com'] });
  });

  it('C10 a name that fails does not stop the others', async () => {
    breakDns();
    await world.want({}, ['bad.example.com', 'www.example.com', 'a.example.com']);
    await world.live(hour);
    expect(shown()?.source).toBe('acme');
    expect(shown('example.com/a.example.com/ec')?.source).toBe('acme');
    expect(shown('example.com/bad.example.com/ec')?.source).toBe('self-signed');
  });

  it('C12 the certificate of a host that goes is kept, used again when it comes back, never revoked, and purged by command', async () => {
    await world.want();
    await world.live(minute);
    const { serial } = (await world.store.certificates.certificate(www)) ?? {};
    const remove = () =>
      world.run(
        changeWishes('example.com', () => ({ removeHosts: [aHost('www.example.com')] }), world.needs),
      );
    await remove();
    await world.live(30 * day);
    await world.want();
    await world.live(hour);
    expect((await world.store.certificates.certificate(www))?.serial).toBe(serial);
    expect(orders()).toBe(1);
    await remove();
    await runIn(world, certsPurge, { ids: [www] });
    expect(await world.store.certificates.lineage(www)).toBeUndefined();
    expect(await world.events('certificate.revoked')).toEqual([]);
  });

  it('C13 each new and renewed certificate, and each failure with its cause, is in the trail of events', async () => {
    await world.want({ issuers: ['first'] });
    await world.live(minute);
    await world.ask(true);
    await world.live(minute);
    breakAll();
    await world.ask(true);
    await world.live(minute);
    const issued = await world.events('certificate.issued');
    expect(issued.map(({ facts }) => facts.reason)).toEqual(['missing', 'requested']);
    expect((await world.events('certificate.failed'))[0]?.facts).toMatchObject({
      code: 'challenge.dns',
      message: expect.stringContaining('NXDOMAIN'),
    });
  });

  it('K12 the renewal goes by the real expiry, with a new key or the same as the domain says', async () => {
    const keyOf = async () => {
      const bundle = await world.store.certificates.bundle(www);
      return bundle && world.needs.pki.keyId(bundle.privateKey);
    };
    await world.want({ reuseKey: true });
    await world.live(minute);
    const [key, { notAfter = 0 } = {}] = [await keyOf(), shown()];
    const { renewAt = 0 } = await world.store.renewals.get(www);
    expect(notAfter - renewAt).toBeGreaterThan(26 * day);
    expect(notAfter - renewAt).toBeLessThanOrEqual(30 * day);
    await world.live(renewAt - world.clock.now() + hour);
    expect((await world.store.certificates.certificate(www))?.generation).toBe(2);
    expect(await keyOf()).toBe(key);
    await world.want({ reuseKey: false });
    await world.ask(true);
    await world.live(hour);
    expect(await keyOf()).not.toBe(key);
  });
});
