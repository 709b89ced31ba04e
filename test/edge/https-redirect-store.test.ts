import { describe, expect, it } from 'vitest';
import { createHttpsRedirect } from '../../src/edge/https-redirect.ts';
import { domainsAdd } from '../../src/operations/domains.ts';
import { bench, day, useBench } from '../operations/fixture.ts';
import { ask, start } from './port80-kit.ts';

useBench();

const host = 'www.example.com';

/** A redirect over a store that does what it is told, where `host` is known and what is known of it has to be read anew. */
async function troubled(domainOf: (name: string) => Promise<never>) {
  let isTroubled = false;
  const wishes = {
    ...bench.needs.wishes,
    domainOf: async (name: string) => (isTroubled ? domainOf(name) : bench.needs.wishes.domainOf(name)),
  };
  await bench.run(domainsAdd, { name: 'example.com', mode: 'individual', hosts: [host] });
  const needs = { ...bench.needs, wishes };
  const redirect = createHttpsRedirect({ httpsPort: 443, trustedProxies: [] }, needs);
  const { port } = await start(undefined, undefined, redirect);
  expect(await ask(port, '/', { headers: { host } })).toMatchObject({ status: 308 });
  isTroubled = true;
  bench.now += day;
  return port;
}

describe('a client of port 80', () => {
  it('is sent on as it is known, while the store is away, which is asked again only after a while', async () => {
    let reads = 0;
    const port = await troubled(async () => {
      reads += 1;
      throw new Error('no store');
    });
    const status = async (name: string) => (await ask(port, '/', { headers: { host: name } })).status;
    expect(await status(host)).toBe(308);
    expect(await status(host)).toBe(308);
    expect(reads).toBe(1);
    bench.now += 6_000;
    expect(await status(host)).toBe(308);
    expect(reads).toBe(2);
    expect(await status('other.example.com')).toBe(503);
  });

  it('is sent on as it is known, while the store does not answer', async () => {
    let reads = 0;
    const port = await troubled(() => {
      reads += 1;
      return new Promise(() => {});
    });
    for (let client = 0; client < 3; client++)
      expect(await ask(port, '/', { headers: { host } })).toMatchObject({ status: 308 });
    expect(reads).toBe(1);
    expect(await ask(port, '/', { headers: { host: 'other.example.com' } })).toMatchObject({ status: 503 });
  });

  it('is sent on as it is known, while so many other names are asked for that the store is left alone', async () => {
    let reads = 0;
    const port = await troubled(() => {
      reads += 1;
      return new Promise(() => {});
    });
    const flood = Array.from({ length: 80 }, (_, index) =>
      ask(port, '/', { headers: { host: `n${index}.made-up.test` } }),
    );
    await expect.poll(() => reads).toBe(64);
    expect(await ask(port, '/', { headers: { host } })).toMatchObject({ status: 308 });
    for (const answer of await Promise.all(flood)) expect(answer.status).toBe(503);
    expect(reads).toBe(64);
  });
});
