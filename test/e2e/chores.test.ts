import { X509Certificate } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import type { Bundle } from '../../src/core/types.ts';
import { openStore, type Store } from '../../src/store/index.ts';
import { createPki } from '../../src/x509/index.ts';
import { readPem } from '../../src/x509/pem.ts';
import { portOf } from '../acme/kit.ts';
import { masterKey, silentLog } from '../store/samples.ts';
import { startPebble } from '../support/pebble.ts';
import { until } from '../support/process.ts';
import { startRedis } from '../support/redis.ts';
import { makeCrl, makeRoot, type OpensslCa, sign } from '../x509/openssl.ts';
import { accepted, deployed, hostsSite, issued, keepUntilEnd, proxyBefore } from './given.ts';

const keep = keepUntilEnd();
const pki = createPki();
const [used, left, taken] = ['h0.hosts.test', 'h1.hosts.test', 'h2.hosts.test'] as const;
const lineage = (host: string) => `hosts.test/${host}/ec`;
const day = 86_400_000;
const year = 365 * day;

/** A CA that publishes what it revoked, which Pebble does not. */
async function startOwnCa(revoked: string) {
  const root = makeRoot('Own CA');
  const requests: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    requests.push(request.headers['user-agent']);
    response.end(makeCrl(root, { revoked: [[revoked, 'keyCompromise']] }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${portOf(server)}/own.crl`;
  const stop = () => new Promise<void>((resolve) => void server.close(() => resolve()));
  return { ...keep({ stop }), root, url, requests };
}

async function held(store: Store, host: string): Promise<Bundle> {
  const bundle = await store.certificates.bundle(lineage(host));
  if (bundle === undefined) throw new Error(`${host} holds nothing`);
  return bundle;
}

/** The host holds a certificate of this CA from now on, with the key that it has. */
async function holdOf(
  store: Store,
  host: string,
  { root, url, serial }: { readonly root: OpensslCa; readonly url: string; readonly serial: string },
): Promise<void> {
  const { certificate, privateKey } = await held(store, host);
  const extensions = [`subjectAltName=DNS:${host}`, `crlDistributionPoints=URI:${url}`];
  const leaf = sign(pki.createCsr([host], privateKey), root, { extensions, serial });
  const expected = { names: [host], privateKey, now: systemClock.now() };
  const { leafDer, chainDer: _, ...facts } = pki.readIssued(`${leaf}\n${root.pem}`, expected);
  const generation = certificate.generation + 1;
  await store.changes.commit({
    generation: {
      certificate: { ...certificate, ...facts, generation },
      leafDer,
      chainDer: readPem(root.pem),
      privateKey,
    },
  });
}

/** What the host held expired a year ago, and nobody has asked for it since. */
async function longGone(store: Store, host: string): Promise<void> {
  const bundle = await held(store, host);
  const record = await store.certificates.lineage(lineage(host));
  if (record?.unwantedSince === undefined) throw new Error(`somebody asks for ${host}`);
  const at = systemClock.now() - year;
  const { generation } = bundle.certificate;
  await store.changes.commit({
    putLineages: [{ ...record, unwantedSince: at }],
    generation: {
      ...bundle,
      certificate: { ...bundle.certificate, generation: generation + 1, notAfter: at },
    },
  });
}

it('an agent finds by itself what a CA revoked, and replaces it; deletes, here and at the target, what nobody has asked for in a year; and deploys anew what is gone there', async () => {
  const redis = keep(await startRedis());
  const pebble = keep(await startPebble({ nonceReject: 0 }));
  const proxy = keep(await proxyBefore(pebble));
  const ca = await startOwnCa('0BAD');
  const key = masterKey();
  const site = await hostsSite({
    pebble,
    proxy,
    hosts: [],
    config: {
      ...{ redis: { url: redis.url }, masterKey: { file: 'master.key' }, domains: [] },
      network: { allowPrivate: ['127.0.0.0/8'] },
    },
  });
  const keyFile = join(site.folder, 'master.key');
  writeFileSync(keyFile, `${Buffer.from(key.reveal()).toString('hex')}\n`, { mode: 0o600 });
  const first = await site.start();
  await site.json(
    'domains',
    'add',
    'hosts.test',
    '--mode',
    'individual',
    '--hosts',
    `${used},${left},${taken}`,
  );
  const before = await issued(site, [used, left, taken]);
  await site.json('hosts', 'remove', left);
  await first.stop(20_000);

  const store = await openStore({
    redis: { url: redis.url },
    masterKeys: [key],
    clock: systemClock,
    log: silentLog,
  });
  await holdOf(store, used, { ...ca, serial: '0BAD' });
  await longGone(store, left);
  const compromised = pki.keyId((await held(store, used)).privateKey);
  const folder = join(site.folder, 'certificates', 'hosts.test');
  rmSync(join(folder, taken));
  const chores = ['revocations', 'retention', 'targets'];
  for (const chore of chores) await redis.cli('ZADD', '{acme}:due', '0', `upkeep:${chore}`);

  const agent = keep(await site.start());
  await until('the revoked one is replaced', () => agent.output().includes('certificate issued'));
  await issued(site, [used], { before });
  expect(ca.requests).toEqual([expect.stringMatching(/^acme-agent\//)]);
  const now = await held(store, used);
  expect(now.certificate).toMatchObject({
    generation: 3,
    serial: deployed(site, used)?.serial.toLowerCase(),
  });
  expect(pki.keyId(now.privateKey)).not.toBe(compromised);
  const leaf = readFileSync(join(site.folder, 'certificates', 'hosts.test', used, 'cert.pem'));
  expect(new X509Certificate(leaf).issuer).toMatch(/Pebble/);
  expect(accepted(proxy, 'newOrder')).toBe(4);

  await until('its files are gone', () => !existsSync(join(folder, left)));
  expect(existsSync(join(folder, '.generations', left))).toBe(false);
  await until('what was gone lies there again', () => existsSync(join(folder, taken)));
  expect(deployed(site, taken)?.serial).toBe(before.get(taken));
  expect(agent.output()).toContain('the target shows something else than was deployed');
  expect((await store.certificates.lineages()).map(({ id }) => id).toSorted()).toEqual([
    `hosts.test/${used}/ec`,
    `hosts.test/${used}/fallback`,
    `hosts.test/${taken}/ec`,
    `hosts.test/${taken}/fallback`,
  ]);
  expect(await store.certificates.bundle(lineage(left))).toBeUndefined();
  for (const chore of chores)
    expect(await store.due.at('upkeep', chore)).toBeGreaterThan(systemClock.now() + 5 * 3_600_000);
  await store.close();
  expect(agent.output()).not.toMatch(/"level":"error"/);
}, 120_000);
