import { expect, test } from 'vitest';
import type { Variables } from '../../src/config/reader.ts';
import { canary } from '../support/canaries.ts';
import { issuers, write } from './write.ts';

const shared = `
dnsAccounts: { dns: { provider: exec, command: [/bin/true], env: { TOKEN: { env: TOKEN } } } }
deployTargets: { web: { target: files, path: /certs } }
notifiers: { hook: { notifier: webhook, url: "https://x.example/hooks/52c8d0f1", secret: { env: KEY } } }
domains: [{ name: example.com, hosts: [a.example.com, b.example.com] }]
`;
const env = { TOKEN: canary(), KEY: canary() };

test('agents that agree have one hash, wherever things stand in their files and whatever is their own', async () => {
  const base = await hashOf(issuers + shared);
  expect(base).toMatch(/^[0-9a-f]{64}$/);
  const local = `dataDir: /elsewhere\nlog: { level: debug }\nhttp01: { port: 8080 }\nroles: [worker]\nresolvers: [192.0.2.1]\n`;
  expect(await hashOf(`# a comment\n\n${local}${shared}${issuers}`)).toBe(base);
  const proxy = issuers.replace('agreeToTerms', 'proxy: "http://proxy.example", agreeToTerms');
  expect(await hashOf(proxy + shared)).toBe(base);
  expect(
    await hashOf(issuers + shared.replace('a.example.com, b.example.com', 'b.example.com, a.example.com')),
  ).toBe(base);
  expect(await hashOf(issuers + shared.replace('{ env: KEY }', `"${env.KEY}"`))).toBe(base);
});

test.each([
  ['an issuer', 'letsencrypt,', 'letsencrypt-staging,'],
  ['an option of a DNS account', '/bin/true', '/bin/false'],
  ['an option of a target', '/certs', '/certs2'],
  ['a notifier', 'x.example', 'y.example'],
  ['a domain', 'name: example.com', 'name: example.com, keyTypes: [rsa2048]'],
  ['a host', 'b.example.com', 'c.example.com'],
  ['the renewal rule', 'dnsAccounts', 'renewal: { ceilingDays: 20 }\ndnsAccounts'],
  ['what uploads may fetch', 'dnsAccounts', 'uploads: { fetchIssuers: true }\ndnsAccounts'],
  ['the defaults', 'dnsAccounts', 'defaults: { contacts: [a@example.com] }\ndnsAccounts'],
])('%s that differs changes the hash', async (_, from, to) => {
  const text = issuers + shared;
  expect(await hashOf(text.replace(from, to))).not.toBe(await hashOf(text));
});

test('secrets that differ change the hash', async () => {
  const text = issuers + shared;
  const base = await hashOf(text);
  expect(await hashOf(text, { ...env, KEY: canary() })).not.toBe(base);
  expect(await hashOf(text, { ...env, TOKEN: canary() })).not.toBe(base);
});

test('a target with other options has another mark, and the others keep theirs', async () => {
  const text = issuers + shared.replace('{ web:', '{ other: { target: files, path: /other }, web:');
  const marksOf = async (from: string) => (await (await write(from)).load(env)).settings.targetMarks;
  const before = await marksOf(text);
  const after = await marksOf(text.replace('/certs', '/certs2'));
  expect(after).toEqual({ ...before, web: expect.not.stringMatching(`^${before?.web}$`) });
});

test('a DNS account is marked by what it is and may, so that corrected credentials are seen', async () => {
  const markOf = async (text: string, variables: Variables = env) =>
    (await (await write(text)).load(variables)).settings.dnsAccounts[0]?.mark;
  const text = issuers + shared;
  const mark = await markOf(text);
  expect(mark).toMatch(/^[0-9a-f]{16}$/);
  expect(await markOf(text.replace('/certs', '/certs2'))).toBe(mark);
  expect(await markOf(text.replace('/bin/true', '/bin/false'))).not.toBe(mark);
  expect(await markOf(text, { ...env, TOKEN: canary() })).not.toBe(mark);
});

async function hashOf(text: string, variables: Variables = env): Promise<string> {
  return (await (await write(text)).load(variables)).sharedHash;
}
