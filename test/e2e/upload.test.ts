import { X509Certificate } from 'node:crypto';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { type AgentSite, agentSite } from '../support/agent.ts';
import { type Forged, type ForgeOptions, forge, issuerAt, keyPem } from '../support/forge.ts';
import { until } from '../support/process.ts';
import { pkcs12 } from '../x509/upload/pki.ts';
import { keepUntilEnd } from './given.ts';

const keep = keepUntilEnd();
const day = 86_400_000;

/** By the clock of this machine, which is that of the agent. */
const validity = { notBefore: Date.now() - day, notAfter: Date.now() + 60 * day };
const root = forge({ subject: 'Platform Root', isCa: true, ...validity });
const ca = forge({ subject: 'Platform CA', issuer: root, isCa: true, ...validity });

function certificate(names: readonly string[], more: Partial<ForgeOptions> = {}): Forged {
  return forge({ subject: names[0] ?? '', issuer: ca, names, ...validity, ...more });
}

/** A domain that orders nothing, with a target that writes files. */
async function uploadSite(config: object = {}): Promise<AgentSite> {
  const site = await agentSite({}, 'uploads');
  site.configure({
    issuers: { none: { directory: 'https://127.0.0.1:1/directory', agreeToTerms: true } },
    deployTargets: { web: { target: 'files', path: join(site.folder, 'certificates') } },
    domains: [{ name: 'held.test', mode: 'custom' }],
    ...config,
  });
  return site;
}

function written(site: AgentSite, name: string, content: string | Buffer): string {
  const path = join(site.folder, name);
  writeFileSync(path, content, { mode: 0o600 });
  return path;
}

const bundleOf = (one: Forged) => one.pem + ca.pem + root.pem + keyPem(one.key);

async function shows(site: AgentSite, label: string, one: Forged): Promise<void> {
  const file = join(site.folder, 'certificates', 'held.test', label, 'combined.pem');
  const isThere = () => existsSync(file) && readFileSync(file, 'utf8').includes(one.pem);
  await until(`${label} shows the certificate of ${one.name}`, isThere);
}

interface Added {
  readonly id: string;
  readonly generation: number;
}

it('what is uploaded is served, replaced, rolled back, downloaded and removed, and its key is in no queue', async () => {
  const site = await uploadSite();
  const agent = keep(await site.start());
  const [first, next] = [certificate(['www.held.test']), certificate(['www.held.test'])];
  const added = (await site.json('certs', 'add', written(site, 'one.pem', bundleOf(first)))) as Added;
  expect(added).toMatchObject({ generation: 1 });
  await shows(site, 'www.held.test', first);

  const password = written(site, 'password', 'open\n');
  const p12 = written(site, 'two.p12', pkcs12(bundleOf(next)));
  const again = await site.json('certs', 'add', p12, '--password-file', password, '--replace', added.id);
  expect(again).toMatchObject({ id: added.id, generation: 2 });
  await shows(site, 'www.held.test', next);

  await site.json('bind', 'web:443', added.id);
  expect((await site.ask('bindings')).stdout).toMatch(/web:443 +cert-\w+ +www\.held\.test +in 59 days/);
  const kept = await site.ask('certs', 'remove', added.id, '--force');
  expect(kept.code).toBe(4);
  expect(kept.stderr).toContain(`acme-agent: ${added.id} is bound to web:443; unbind that first.`);

  await site.json('certs', 'rollback', added.id);
  await shows(site, 'www.held.test', first);
  const folder = join(site.folder, 'out');
  await site.json('certs', 'download', 'www.held.test', folder);
  const [pem, key] = ['fullchain.pem', 'privkey.pem'].map((name) => join(folder, name));
  if (pem === undefined || key === undefined) throw new Error('no files');
  expect(new X509Certificate(readFileSync(pem)).raw).toEqual(first.der);
  expect(readFileSync(key, 'utf8')).toBe(keyPem(first.key));
  expect(statSync(key).mode & 0o777).toBe(0o600);
  expect(await site.ask('certs', 'download', added.id, folder)).toMatchObject({ code: 4 });

  await site.json('unbind', 'web:443');
  await site.json('certs', 'remove', added.id, '--force');
  await until(
    'the place is cleared',
    () => !existsSync(join(site.folder, 'certificates', 'held.test', 'www.held.test')),
  );
  expect((await site.ask('certs', 'list', '--names')).stdout).toBe('No certs\n');
  // Jobs, results and events of all that lie in the append-only file, which is searched for keys at the end of the run.
  expect(agent.output()).not.toContain('PRIVATE KEY');
});

it('an intermediate that is missing is fetched from where the certificate says, if the file allows that', async () => {
  const server = createServer((_, response) => response.end(ca.der));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  keep({ stop: async () => void server.close() });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/ca.cer`;
  const one = certificate(['www.held.test'], { extensions: [issuerAt(url)] });
  const site = await uploadSite({
    uploads: { fetchIssuers: true },
    network: { allowPrivate: ['127.0.0.0/8'] },
  });
  keep(await site.start());
  const file = written(site, 'bare.pem', one.pem + root.pem + keyPem(one.key));
  expect(await site.json('certs', 'add', file)).toMatchObject({
    notes: [
      'What was missing in the chain was fetched.',
      expect.stringContaining('Platform Root was left out'),
    ],
  });
  await shows(site, 'www.held.test', one);
});
