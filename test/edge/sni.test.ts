import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freshRenewal } from '../../src/core/records.ts';
import type { SniChange } from '../../src/index.ts';
import { newerCommands, readerAclRulesFor } from '../../src/store/acl.ts';
import { until } from '../support/process.ts';
import { addDomain, hold } from './sni-held.ts';
import { prefix, type Site, serve, startSite } from './sni-kit.ts';

let site: Site;

beforeAll(async () => {
  site = await startSite(randomBytes(32).toString('base64'));
});

afterAll(() => site?.stop());

const bound = (name: string, ...lineages: readonly string[]) => ({ name, lineages, boundAt: Date.now() });

describe('what a client is shown', () => {
  test('is the certificate of the name, of the kind of key that the client takes', async () => {
    await addDomain(site.store, 'pair.test');
    const names = ['www.pair.test'];
    const ec = await hold(site.store, { id: 'pair.test/www.pair.test/ec', of: 'pair.test', names });
    const rsa = await hold(site.store, { id: 'pair.test/www.pair.test/rsa', of: 'pair.test', names });
    const { shown } = await serve(site.options);
    expect(await shown('www.pair.test', 'ec')).toBe(ec);
    expect(await shown('www.pair.test', 'rsa')).toBe(rsa);
    expect(await shown('WWW.Pair.test', 'ec')).toBe(ec);
    expect(await shown('www.pair.test')).toBe(ec);
  });

  test('is an RSA certificate where the name has no other, whatever the client prefers', async () => {
    await addDomain(site.store, 'rsa.test');
    const held = { id: 'rsa.test/www.rsa.test/rsa', of: 'rsa.test', names: ['www.rsa.test'] };
    const rsa = await hold(site.store, held);
    const { shown } = await serve(site.options);
    expect(await shown('www.rsa.test')).toBe(rsa);
  });

  test('is never of another kind of key by a lesser right: an upload alone comes before what the CA issued', async () => {
    await addDomain(site.store, 'right.test');
    const names = ['www.right.test'];
    await hold(site.store, { id: 'right.test/www.right.test/rsa', of: 'right.test', names });
    const upload = { id: 'cert-right', of: 'right.test', names, source: 'upload' as const };
    const fingerprint = await hold(site.store, upload);
    const { shown } = await serve(site.options);
    expect(await shown('www.right.test')).toBe(fingerprint);
    expect(await shown('www.right.test', 'rsa')).toBe(await shown('nobody.right.test', 'rsa'));
  });

  test('is the wildcard of its own domain or group, and of no other domain', async () => {
    await addDomain(site.store, 'star.test');
    await addDomain(site.store, 'b.star.test');
    const names = ['star.test', '*.star.test'];
    const star = await hold(site.store, { id: 'star.test/*.star.test/ec', of: 'star.test', names });
    const group = {
      domain: 'star.test',
      label: 'shop',
      names: ['a.c.star.test'],
      origin: { kind: 'runtime' },
    };
    await site.store.changes.commit({ putGroups: [group as never] });
    const grouped = { id: 'star.test/shop/ec', of: 'star.test', names: group.names };
    const { shown, look } = await serve(site.options);
    expect(await shown('a.star.test')).toBe(star);
    expect(await shown('star.test')).toBe(star);
    const shop = await hold(site.store, grouped);
    expect(await shown('a.c.star.test')).toBe(shop);
    expect((await look('b.star.test')).subjectAltName).toBe('DNS:default.invalid');
  });

  test('K3 is what is bound: exact before leftmost, rightmost and any; no valid name is shown the default', async () => {
    await addDomain(site.store, 'k3.test');
    const patterns = ['*', 'a.k3.*', '*.k3.test', 'a.k3.test'];
    const { shown, look } = await serve(site.options);
    const fingerprints: string[] = [];
    for (const [index, pattern] of patterns.entries()) {
      const id = `cert-k3-${index}`;
      const names = [`h${index}.k3.test`];
      fingerprints.push(await hold(site.store, { id, of: 'k3.test', names, source: 'upload' }));
      await site.store.changes.commit({ putBindings: [bound(pattern, id)] });
      await until('the binding is live', async () => (await shown('a.k3.test')) === fingerprints[index]);
    }
    for (const [index, pattern] of [...patterns.entries()].toReversed()) {
      expect(await shown('a.k3.test')).toBe(fingerprints[index]);
      await site.store.changes.commit({ removeBindings: [bound(pattern, `cert-k3-${index}`)] });
      const next = fingerprints[index - 1];
      if (next === undefined) continue;
      await until('the binding is gone', async () => (await shown('a.k3.test')) === next);
    }
    expect((await look('not_a_name.k3.test')).subjectAltName).toBe('DNS:default.invalid');
  });

  test('K6 is the default certificate where nothing is held, always the same one', async () => {
    const { shown } = await serve(site.options);
    const first = await shown('nobody.default.test');
    expect(await shown('else.default.test')).toBe(first);
    expect(await shown('')).toBe(first);
  });

  test('is not what has expired or was revoked', async () => {
    await addDomain(site.store, 'over.test');
    const names = ['www.over.test'];
    const id = 'over.test/www.over.test/ec';
    await hold(site.store, { id, of: 'over.test', names, lifeMs: -1_000 });
    const { shown, look } = await serve(site.options);
    expect((await look('www.over.test')).subjectAltName).toBe('DNS:default.invalid');
    const held = await hold(site.store, { id, of: 'over.test', names, generation: 2 });
    await until('the new one is live', async () => (await shown('www.over.test')) === held);
    const state = { ...freshRenewal(id), revokedAt: Date.now() - 3_600_000 };
    await site.store.changes.commit({ putRenewals: [state] });
    await until('it is gone', async () => (await shown('www.over.test')) !== held);
  });

  test('ends by itself when it expires', async () => {
    await addDomain(site.store, 'ends.test');
    const held = { id: 'ends.test/www.ends.test/ec', of: 'ends.test', names: ['www.ends.test'] };
    const fingerprint = await hold(site.store, { ...held, lifeMs: 4_000 });
    const { shown } = await serve(site.options);
    expect(await shown('www.ends.test')).toBe(fingerprint);
    await until('it has expired', async () => (await shown('www.ends.test')) !== fingerprint);
  });
});

describe('a change', () => {
  test('K1 is live at every resolver, and told to those who listen; so is D6 a certificate under the same name', async () => {
    await addDomain(site.store, 'live.test');
    const held = { id: 'live.test/www.live.test/ec', of: 'live.test', names: ['www.live.test'] };
    const first = await hold(site.store, held);
    const sites = [await serve(site.options), await serve(site.options)];
    const told: SniChange[] = [];
    for (const { shown, resolver } of sites) {
      expect(await shown('www.live.test')).toBe(first);
      resolver.onChange((change) => told.push(change));
    }
    const second = await hold(site.store, { ...held, generation: 2 });
    for (const { shown } of sites)
      await until('the second one is live', async () => (await shown('www.live.test')) === second);
    expect(told.filter(({ names }) => names.includes('www.live.test'))).toHaveLength(2);
    await site.store.changes.commit({ point: { lineage: held.id, generation: 1 } });
    for (const { shown } of sites)
      await until('the first one is back', async () => (await shown('www.live.test')) === first);
  });

  test('is live without any hint too, by its number', async () => {
    await addDomain(site.store, 'mute.test');
    const held = { id: 'mute.test/www.mute.test/ec', of: 'mute.test', names: ['www.mute.test'] };
    const first = await hold(site.store, held);
    const deaf = [
      'ACL',
      'SETUSER',
      'acme-deaf',
      `>${site.password}`,
      ...readerAclRulesFor(prefix, newerCommands).split(' '),
    ];
    await site.redis.cli(...deaf.filter((rule) => !rule.startsWith('&')));
    const { shown } = await serve({
      ...site.options,
      redis: { ...site.options.redis, username: 'acme-deaf' },
    });
    expect(await shown('www.mute.test')).toBe(first);
    const second = await hold(site.store, { ...held, generation: 2 });
    await until('the second one is live', async () => (await shown('www.mute.test')) === second);
  });

  test('of one name leaves the others ready: a handshake of a known name asks the store nothing', async () => {
    await addDomain(site.store, 'ready.test');
    const names = ['a.ready.test', 'b.ready.test'];
    for (const name of names)
      await hold(site.store, { id: `ready.test/${name}/ec`, of: 'ready.test', names: [name] });
    const { shown, resolver } = await serve(site.options);
    for (const name of [...names, 'unknown.elsewhere.test']) await shown(name);
    const told = new Promise((resolve) => resolver.onChange(resolve));
    await hold(site.store, { id: 'ready.test/c/ec', of: 'ready.test', names: ['c.ready.test'] });
    expect(await told).toMatchObject({ changes: [{ kind: 'lineage', name: 'ready.test/c/ec' }], names: [] });
    const before = await reads();
    const { misses } = resolver.stats();
    for (let round = 0; round < 10; round++)
      for (const name of [...names, 'unknown.elsewhere.test']) await shown(name);
    expect(resolver.stats().misses).toBe(misses);
    expect(await reads()).toBe(before);
  });

  test('makes a name known that was not', async () => {
    const { shown, look } = await serve(site.options);
    expect((await look('www.later.test')).subjectAltName).toBe('DNS:default.invalid');
    await addDomain(site.store, 'later.test');
    const held = { id: 'later.test/www.later.test/ec', of: 'later.test', names: ['www.later.test'] };
    const fingerprint = await hold(site.store, held);
    await until('it is live', async () => (await shown('www.later.test')) === fingerprint);
    await site.store.changes.commit({ removeLineages: [held.id] });
    await until('it is gone', async () => (await shown('www.later.test')) !== fingerprint);
  });
});

/** What Redis was asked about names and lineages. */
async function reads(): Promise<string> {
  const stats = String(await site.redis.cli('INFO', 'commandstats'));
  return ['hmget', 'evalsha', 'smembers', 'hgetall']
    .map((name) => new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(stats)?.[1])
    .join(' ');
}

test('memory stays within what is set, and every name is still shown its own', async () => {
  await addDomain(site.store, 'many.test');
  const names = Array.from({ length: 6 }, (_, index) => `h${index}.many.test`);
  const held = new Map<string, string>();
  for (const name of names)
    held.set(name, await hold(site.store, { id: `many.test/${name}/ec`, of: 'many.test', names: [name] }));
  const few = await serve({ ...site.options, maxContexts: 2 });
  const small = await serve({ ...site.options, maxBytes: 100_000 });
  for (const { shown, resolver } of [few, small])
    for (const name of [...names, ...names]) {
      expect(await shown(name)).toBe(held.get(name));
      expect(resolver.stats().contexts).toBeLessThanOrEqual(2);
    }
  expect(small.resolver.stats().bytes).toBeLessThanOrEqual(100_000);
  expect(small.resolver.stats().contexts).toBeGreaterThan(0);
});

test('a flood of names that nobody has costs no context, and those known stay', async () => {
  await addDomain(site.store, 'flood.test');
  const held = { id: 'flood.test/www.flood.test/ec', of: 'flood.test', names: ['www.flood.test'] };
  const fingerprint = await hold(site.store, held);
  const { shown, resolver } = await serve({ ...site.options, maxContexts: 5 });
  await shown('www.flood.test');
  const ask = (name: string) =>
    new Promise((done) => resolver.SNICallback(name, (_, context) => done(context)));
  const contexts = await Promise.all(
    Array.from({ length: 2_000 }, (_, index) => ask(`x${index}.flood.test`)),
  );
  expect(new Set(contexts).size).toBe(1);
  expect(resolver.stats()).toMatchObject({ contexts: 1 });
  expect(resolver.stats().names).toBeLessThanOrEqual(40);
  const { misses } = resolver.stats();
  expect(await shown('www.flood.test')).toBe(fingerprint);
  expect(resolver.stats().misses).toBe(misses);
});

test('through an outage of Redis it shows what it has, and afterwards what changed', async () => {
  const own = await startSite(randomBytes(32).toString('base64'));
  try {
    await addDomain(own.store, 'away.test');
    const held = { id: 'away.test/www.away.test/ec', of: 'away.test', names: ['www.away.test'] };
    const first = await hold(own.store, held);
    const { shown, look, resolver } = await serve(own.options);
    expect(await shown('www.away.test')).toBe(first);
    const before = own.redis.pid;
    await own.redis.kill('SIGKILL');
    await until('it is seen to be away', async () => resolver.stats().isStoreAway);
    expect(await shown('www.away.test')).toBe(first);
    expect((await look('new.away.test')).subjectAltName).toBe('DNS:default.invalid');
    await own.redis.start();
    expect(own.redis.pid).not.toBe(before);
    let second = '';
    await until('the agent is back', async () => {
      second = await hold(own.store, { ...held, generation: 2 }).catch(() => '');
      return second !== '';
    });
    await until('the second one is live', async () => (await shown('www.away.test')) === second);
    expect(resolver.stats().isStoreAway).toBe(false);
  } finally {
    await own.stop();
  }
});
