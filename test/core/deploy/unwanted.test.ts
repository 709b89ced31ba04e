import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { refreshDue } from '../../../src/core/renewal/due-index.ts';
import type { Domain } from '../../../src/core/types.ts';
import { changeWishes, type WishEdit } from '../../../src/core/wishes/reconcile.ts';
import { aDomain, aHost, day, minute } from '../given.ts';
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

const dns = { challenge: 'dns-01', dnsAccount: 'zone', issuers: ['first'] } as const;
const host = aHost('www.example.com');

const change = (edit: WishEdit) => world.run(changeWishes('example.com', () => edit, world.needs));
const told = () => world.mail.messages.flatMap(({ notices }) => notices.map(({ kind }) => kind));

function individual(more: Partial<Domain> = {}): Domain {
  return aDomain({ mode: 'individual', deploy: ['web'], notify: ['mail'], contacts: ['a@b.test'], ...more });
}

describe('a certificate that nobody asks for any more', () => {
  it('stays at its target as it is, and nobody is told when it expires', async () => {
    await world.want({ issuers: ['first'] });
    await world.live(minute);
    await change({ removeHosts: [host] });
    const deployed = world.web.history.length;
    await world.live(200 * day);
    expect(world.web.history).toHaveLength(deployed);
    expect(told()).toEqual([]);
  });

  it('is shown again as soon as its host is back', async () => {
    await world.want({ issuers: ['first'] });
    await world.live(minute);
    await change({ removeHosts: [host] });
    await world.live(200 * day);
    await change({ putHosts: [host] });
    await world.live(minute);
    expect(world.web.shows(www)?.certificate).toEqual(await world.store.certificates.certificate(www));
  });

  it('is not replaced by a self-signed one where another certificate took its place', async () => {
    await world.want({ mode: 'wildcard', ...dns });
    await world.live(minute);
    await change({ domain: individual(dns) });
    await world.live(120 * day);
    expect(world.web.shows('example.com/*.example.com/ec')?.certificate.source).toBe('acme');
    expect(told()).toEqual([]);
  });

  it('does not come to a target that is named later', async () => {
    await world.want({ issuers: ['first'], deploy: [] });
    await world.live(minute);
    await change({ removeHosts: [host] });
    await change({ domain: individual({ issuers: ['first'] }) });
    await world.run(refreshDue(world.needs));
    expect(await world.store.due.at('deploy', `web|${www}`)).toBeUndefined();
    await world.live(minute);
    expect(world.web.history).toEqual([]);
  });
});
