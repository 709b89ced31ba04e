import { expect, test } from 'vitest';
import { issuers, mistakesOf, write } from './write.ts';

const load = async (text: string, env: Record<string, string> = {}) =>
  (await write(`${issuers}${text}`, env)).load();

test('no host is taken in on demand unless the file says which', async () => {
  expect((await load('')).settings.onDemand).toBeUndefined();
  const { settings } = await load('onDemand: { allow: ["*.Shops.example.com"] }\n');
  expect(settings.onDemand).toEqual({
    allow: ['*.shops.example.com'],
    asksPermission: false,
    perDomain: { count: 10, perMs: 86_400_000 },
    mostWaiting: 100,
  });
});

test('the permission URL is a secret, and what all agents agree on', async () => {
  const text = (url: string) =>
    `onDemand: { allow: ["*.*"], permission: "https://platform.test/ask?token=${url}" }\n`;
  const [one, other] = [await load(text('canary-a')), await load(text('canary-b'))];
  expect(one.settings.onDemand?.asksPermission).toBe(true);
  expect(JSON.stringify(one)).not.toContain('canary');
  expect(one.sharedHash).not.toBe(other.sharedHash);
  expect((await load(text('canary-a'))).sharedHash).toBe(one.sharedHash);
});

test('K7 what allows too much, or nothing, is told', async () => {
  expect(
    await mistakesOf(`${issuers}onDemand:
  allow: ['*.*', '*x.example.com', 'a.example.com', '*']
  perDomain: { count: 0, per: 1w }
  waiting: 0
  permision: https://platform.test
`),
  ).toEqual([
    '3: onDemand.allow.1: is no pattern of host names: "*" stands for a whole label',
    '3: onDemand.allow.3: is no pattern of host names: it has only one label',
    '4: onDemand.perDomain.count: must be at least 1',
    '4: onDemand.perDomain.per: must be a length of time such as 90s, 30m, 3h or 7d',
    '5: onDemand.waiting: must be at least 1',
    '6: onDemand.permision: unknown key, did you mean "permission"?',
  ]);
  expect(
    await mistakesOf(`${issuers}onDemand: { allow: ['*.*', 'www.*.com'], permission: 'ftp://x' }\n`),
  ).toEqual(['2: onDemand.permission: must be a URL: http:// or https://']);
  expect(await mistakesOf(`${issuers}onDemand: { allow: ['*.example.com', '*.*'] }\n`)).toEqual([
    '2: onDemand.allow.1: "*.*" allows the names of whoever registers one: add "permission", the URL at which the platform says which are its own',
  ]);
  expect(await mistakesOf(`${issuers}onDemand: {}\n`)).toEqual([
    '2: onDemand.allow: is missing: write a list',
  ]);
});
