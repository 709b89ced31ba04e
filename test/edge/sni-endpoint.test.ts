import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../support/process.ts';
import { addDomain, hold } from './sni-held.ts';
import { type Site, serve, startSite } from './sni-kit.ts';

let site: Site;

beforeAll(async () => {
  site = await startSite(randomBytes(32).toString('base64'));
});

afterAll(() => site?.stop());

const bound = (name: string, ...lineages: readonly string[]) => ({ name, lineages, boundAt: Date.now() });

test('V6 at an endpoint is what is bound to it, before what is bound to any name and after a name of its own', async () => {
  await addDomain(site.store, 'v6.test');
  await addDomain(site.store, 'own.test');
  const own = { id: 'own.test/www.own.test/ec', of: 'own.test', names: ['www.own.test'] };
  const issued = await hold(site.store, own);
  const [web, api, any, exact] = await Promise.all(
    ['web', 'api', 'any', 'exact'].map((label) =>
      hold(site.store, {
        id: `cert-${label}`,
        of: 'v6.test',
        names: [`${label}.v6.test`],
        source: 'upload',
      }),
    ),
  );
  const at = await serve({ ...site.options, endpoint: 'Web:0443' });
  const elsewhere = await serve(site.options);
  expect((await at.look('free.test')).subjectAltName).toBe('DNS:default.invalid');
  expect(await at.shown('www.own.test')).toBe(issued);
  const { changes } = site.store;
  await changes.commit({ putBindings: [bound('web:443', 'cert-web'), bound('api:443', 'cert-api')] });
  for (const name of ['free.test', 'www.own.test'])
    await until('the binding is live', async () => (await at.shown(name)) === web);
  expect(await elsewhere.shown('www.own.test')).toBe(issued);
  await changes.commit({ putBindings: [bound('*', 'cert-any'), bound('www.own.test', 'cert-exact')] });
  await until('the name is bound', async () => (await at.shown('www.own.test')) === exact);
  await until('all are', async () => (await elsewhere.shown('free.test')) === any);
  expect(await at.shown('free.test')).toBe(web);
  await changes.commit({ putBindings: [bound('web:443', 'cert-api')] });
  await until('the other is live', async () => (await at.shown('free.test')) === api);
  const names = ['web:443', 'api:443', '*', 'www.own.test'];
  await changes.commit({ removeBindings: names.map((name) => bound(name, 'cert-web')) });
  await until('all is as before', async () => (await at.shown('www.own.test')) === issued);
});
