import { describe, expect, it } from 'vitest';
import { refreshDue } from '../../../src/core/renewal/due-index.ts';
import { changeWishes } from '../../../src/core/wishes/reconcile.ts';
import { bind, unbind } from '../../../src/operations/bind.ts';
import { certsRemove } from '../../../src/operations/certs-remove.ts';
import { certsRollback } from '../../../src/operations/certs-rollback.ts';
import { rsaKey } from '../../support/forge.ts';
import { eachWorld } from '../each-world.ts';
import { aHost, day, minute, t0 } from '../given.ts';
import { runIn } from '../run-command.ts';
import { handInto } from '../uploads/hand-in.ts';
import { type World, www } from '../world.ts';

let world: World;

eachWorld((opened) => {
  world = opened;
});

const shown = (lineage: string) => world.web.shows(lineage)?.certificate;
const dead = () => {
  world.first.ways.verdict = () => ({ type: 'dns', detail: 'NXDOMAIN' });
};

describe('the place of a host', () => {
  it('shows an uploaded certificate of its name before the issued one, and the issued one again without it', async () => {
    await world.want();
    await world.live(minute);
    expect(shown(www)?.source).toBe('acme');
    const { id } = await handInto(world, ['www.example.com']);
    await world.live(minute);
    expect(shown(www)).toMatchObject({ lineage: id, source: 'upload' });
    expect(await world.store.deployments.get('web', www)).toMatchObject({
      observed: { source: 'upload', lineage: id },
      failures: 0,
    });
    // The place is that of the host; the upload has none beside it.
    expect(world.web.shows(id)).toBeUndefined();
    await runIn(world, certsRemove, { id });
    await world.live(minute);
    expect(shown(www)?.lineage).toBe(www);
  });

  it('shows the next generation of an upload without being asked', async () => {
    await world.want();
    const first = await handInto(world, ['www.example.com']);
    await world.live(minute);
    const next = await handInto(world, ['www.example.com'], { input: { replace: first.id } });
    await world.live(minute);
    expect(shown(www)?.serial).toBe(next.serial);
    await runIn(world, certsRollback, { id: first.id });
    await world.live(minute);
    expect(shown(www)?.serial).toBe(first.serial);
  });

  it('shows an issued certificate of its name before an uploaded wildcard, which comes before the fallback', async () => {
    await world.want({ issuers: ['first'] });
    dead();
    await world.handle('deploy', `web|${www}`);
    expect(shown(www)?.source).toBe('self-signed');
    const { id } = await handInto(world, ['example.com', '*.example.com']);
    await world.live(minute);
    expect(shown(www)?.lineage).toBe(id);
    world.first.ways.verdict = () => undefined;
    await world.live(day);
    expect(shown(www)?.lineage).toBe(www);
  });

  it('shows an issued wildcard of its domain rather than the fallback', async () => {
    await world.want({ issuers: ['first'], challenge: 'dns-01', dnsAccount: 'zone', mode: 'wildcard' }, []);
    await world.live(minute);
    const wildcard = 'example.com/*.example.com/ec';
    expect(shown(wildcard)?.source).toBe('acme');
    dead();
    await world.want({ issuers: ['first'], challenge: 'dns-01', dnsAccount: 'zone', mode: 'individual' });
    await world.handle('deploy', `web|${www}`);
    expect(shown(www)?.lineage).toBe(wildcard);
    // Its expiry is the end of that.
    const { notAfter = 0 } = shown(www) ?? {};
    await world.live(notAfter - world.clock.now() + minute);
    expect(shown(www)?.source).toBe('self-signed');
  });

  it('goes back from an upload that expired to the issued certificate, by itself', async () => {
    await world.want();
    await handInto(world, ['www.example.com'], { notAfter: t0 + 10 * day });
    await world.live(9 * day);
    expect(shown(www)?.source).toBe('upload');
    await world.live(2 * day);
    expect(shown(www)?.lineage).toBe(www);
    expect(await world.events('certificate.fallback')).toEqual([]);
  });

  it('falls back to the self-signed one where an expired upload was all there was', async () => {
    await world.want({ issuers: ['first'] });
    dead();
    await handInto(world, ['www.example.com'], { notAfter: t0 + 10 * day });
    await world.live(11 * day);
    expect(shown(www)?.source).toBe('self-signed');
  });

  it('shows an RSA upload where the domain keeps one kind of key, and none of the other kind in a pair', async () => {
    await world.want();
    await world.live(minute);
    const rsa = await handInto(world, ['www.example.com'], { key: rsaKey(2048) });
    await world.live(minute);
    expect(shown(www)?.lineage).toBe(rsa.id);
    const ec = await handInto(world, ['www.example.com']);
    await world.live(minute);
    expect(shown(www)?.lineage).toBe(ec.id);
    // The RSA one has a place of its own, of its own kind.
    expect(shown(rsa.id)?.lineage).toBe(rsa.id);
  });

  it('of a domain with both kinds shows each an upload of its kind', async () => {
    await world.want({ keyTypes: ['p256', 'rsa2048'] });
    await world.live(minute);
    const rsa = await handInto(world, ['www.example.com'], { key: rsaKey(2048) });
    await world.live(minute);
    expect(shown(www)?.source).toBe('acme');
    expect(shown('example.com/www.example.com/rsa')?.lineage).toBe(rsa.id);
  });

  it('shows what is bound to its name, of whatever domain, through renewals, and no more when it is unbound', async () => {
    await world.want();
    await world.want({ name: 'example.org' }, ['a.example.org']);
    await world.live(minute);
    const other = 'example.org/a.example.org/ec';
    await runIn(world, bind, { name: 'www.example.com', certificates: [other], force: true });
    await world.live(minute);
    expect(shown(www)?.lineage).toBe(other);
    const before = shown(www)?.serial;
    await world.ask(true, undefined, other);
    await world.live(5 * minute);
    expect(shown(other)?.serial).not.toBe(before);
    expect(shown(www)?.serial).toBe(shown(other)?.serial);
    // A new deployment of the host, as by a changed wish, keeps it.
    await world.want({ contacts: ['b@example.com'] });
    await world.live(minute);
    expect(shown(www)?.lineage).toBe(other);
    await runIn(world, unbind, { names: ['www.example.com'] });
    await world.live(minute);
    expect(shown(www)?.lineage).toBe(www);
  });

  it('never shows an upload of another domain that has its name too', async () => {
    await world.want();
    await world.want({ name: 'example.org', mode: 'custom' }, []);
    await world.live(minute);
    await handInto(world, ['www.example.com', 'www.example.org'], { input: { domain: 'example.org' } });
    await world.live(day);
    await world.run(refreshDue(world.needs));
    await world.live(minute);
    expect(shown(www)?.lineage).toBe(www);
  });

  it('keeps its certificate while the wish for another name is not fulfilled, though that is not covered', async () => {
    await world.want({ issuers: ['first'] });
    await world.live(minute);
    dead();
    const group = {
      domain: 'example.com',
      label: 'www.example.com',
      names: ['www.example.com', 'new.example.com'],
      origin: { kind: 'runtime' },
    } as const;
    await world.run(changeWishes('example.com', () => ({ putGroups: [group] }), world.needs));
    await world.live(day);
    expect(shown(www)).toMatchObject({ source: 'acme', names: ['www.example.com'] });
  });
});

describe('the place of an upload', () => {
  it('is its own in a domain that orders nothing', async () => {
    await world.want({ mode: 'custom' }, []);
    const { id } = await handInto(world, ['www.example.com']);
    await world.live(minute);
    expect(shown(id)).toMatchObject({ lineage: id, source: 'upload' });
    expect(world.first.orders).toEqual([]);
  });

  it('goes to a host of its name when one comes, and back when the host goes', async () => {
    await world.want({ mode: 'individual' }, []);
    const { id } = await handInto(world, ['www.example.com']);
    await world.live(minute);
    expect(shown(id)?.lineage).toBe(id);
    await world.want();
    await world.live(minute);
    expect(shown(www)?.lineage).toBe(id);
    expect(await world.store.due.at('deploy', `web|${id}`)).toBeUndefined();
    const before = world.web.history.length;
    await world.run(
      changeWishes('example.com', () => ({ removeHosts: [aHost('www.example.com')] }), world.needs),
    );
    await world.live(minute);
    expect(world.web.history.slice(before).map(({ certificate }) => certificate.lineage)).toEqual([id]);
  });

  it('shows a self-signed one for its names once it expired', async () => {
    await world.want({ mode: 'custom' }, []);
    const { id } = await handInto(world, ['www.example.com', 'b.example.com'], { notAfter: t0 + 5 * day });
    await world.live(6 * day);
    expect(shown(id)).toMatchObject({ source: 'self-signed', names: ['www.example.com', 'b.example.com'] });
    expect(await world.events('certificate.fallback')).toHaveLength(1);
  });

  it('is deployed to a target that is added later, and looked at like others', async () => {
    await world.want({ mode: 'custom', deploy: [] }, []);
    const { id } = await handInto(world, ['www.example.com']);
    await world.live(minute);
    expect(world.web.history).toEqual([]);
    await world.want({ mode: 'custom' }, []);
    await world.live(minute);
    expect(shown(id)?.lineage).toBe(id);
  });

  it('is found again when the due index was lost', async () => {
    await world.want({ mode: 'custom' }, []);
    const { id } = await handInto(world, ['www.example.com']);
    await world.live(minute);
    const due = [
      { job: 'deploy', id: `web|${id}`, at: undefined },
      { job: 'remind', id, at: undefined },
    ] as const;
    await world.store.changes.commit({ due });
    await world.run(refreshDue(world.needs));
    expect(await world.store.due.at('deploy', `web|${id}`)).toBeDefined();
    expect(await world.store.due.at('remind', id)).toBeDefined();
    expect(await world.store.due.at('issue', id)).toBeUndefined();
  });
});
