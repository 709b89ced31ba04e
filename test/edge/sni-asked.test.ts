import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { until } from '../support/process.ts';
import { addDomain, hold } from './sni-held.ts';
import { type Site, serve, startSite } from './sni-kit.ts';

let site: Site;

beforeAll(async () => {
  site = await startSite(randomBytes(32).toString('base64'));
});

afterAll(() => site?.stop());

/** Names that the agents are told of, as they come. */
async function listen(): Promise<string[]> {
  const told: string[] = [];
  let isHeard = false;
  const hear = (name: string) => {
    isHeard = true;
    // Not those that only try the way.
    if (name.includes('.')) told.push(name);
  };
  onTestFinished(site.store.hostAsks.hear(hear));
  await until('they are heard', async () => {
    await site.store.hostAsks.ask('first');
    return isHeard;
  });
  return told;
}

test('a host that nothing is held for has a self-signed certificate of its own at once, and the agents are told once', async () => {
  const told = await listen();
  const { look, shown } = await serve(site.asking);
  const certificate = await look('new.asked.test');
  expect(certificate.subjectAltName).toBe('DNS:new.asked.test');
  expect(certificate.verify(certificate.publicKey)).toBe(true);
  const first = await shown('new.asked.test');
  for (let round = 0; round < 5; round++) expect(await shown('NEW.asked.test')).toBe(first);
  expect(await shown('other.asked.test')).not.toBe(first);
  await until('the agents are told', async () => told.includes('other.asked.test'));
  expect(told).toEqual(['new.asked.test', 'other.asked.test']);
});

test('what becomes held is shown in its place, and is asked for no more', async () => {
  const { shown, look } = await serve(site.asking);
  expect((await look('www.soon.test')).subjectAltName).toBe('DNS:www.soon.test');
  await addDomain(site.store, 'soon.test');
  const held = { id: 'soon.test/www.soon.test/ec', of: 'soon.test', names: ['www.soon.test'] };
  const fingerprint = await hold(site.store, held);
  await until('it is live', async () => (await shown('www.soon.test')) === fingerprint);
  const told = await listen();
  const again = await serve(site.asking);
  expect(await again.shown('www.soon.test')).toBe(fingerprint);
  await again.look('mark.test');
  await until('the mark is told', async () => told.includes('mark.test'));
  expect(told).not.toContain('www.soon.test');
});

test('clients that know RSA alone, that name no host, or none that a CA would certify get the default certificate', async () => {
  const told = await listen();
  const { shown, look } = await serve(site.asking);
  const byDefault = await shown('');
  expect(await shown('rsa.asked.test', 'rsa')).toBe(byDefault);
  for (const name of ['not_a_name.test', `${'a'.repeat(64)}.test`, 'localhost', '*.asked.test'])
    expect(await shown(name)).toBe(byDefault);
  await look('mark.asked.test');
  await until('the mark is told', async () => told.includes('mark.asked.test'));
  expect(told).toEqual(['rsa.asked.test', 'mark.asked.test']);
});

test('a flood of names is bounded: in what is told, and in what is kept', async () => {
  const told = await listen();
  const { resolver, shown } = await serve({ ...site.asking, maxBytes: 4_000_000 });
  const byDefault = await shown('');
  const ask = (name: string) =>
    new Promise((done) => resolver.SNICallback(name, (_, context) => done(context)));
  const names = Array.from({ length: 1_000 }, (_, index) => `x${index}.crowd.test`);
  for (let from = 0; from < names.length; from += 100)
    await Promise.all(names.slice(from, from + 100).map(ask));
  expect(resolver.stats().bytes).toBeLessThanOrEqual(4_000_000);
  await until('some are told', async () => told.includes('x0.crowd.test'));
  expect(told.length).toBeLessThan(500);
  expect(await shown('')).toBe(byDefault);
});
