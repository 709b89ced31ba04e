import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, expect, it } from 'vitest';
import type { Deployer, DeployRequest } from '../../src/core/ports.ts';
import { kubernetes } from '../../src/deploy/kubernetes.ts';
import { secretName } from '../../src/deploy/kubernetes-secret.ts';
import { describeDeployTarget } from '../contract/deploy-target.ts';
import { describeTargetFaults, fingerprintOfPair } from '../contract/target-faults.ts';
import { createPluginContext } from '../support/plugin-context.ts';
import { type Cluster, startCluster } from '../support/targets/kubernetes.ts';
import { createAuthority } from '../support/tls.ts';
import { deployNow, makeBundle, signal, slot, slotOf } from './fixture.ts';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function started(tls?: { readonly cert: string; readonly key: string }): Promise<Cluster> {
  const cluster = await startCluster(tls);
  closing.push(cluster.server.stop);
  return cluster;
}

async function createTarget({ server, token }: Cluster, more: object = {}): Promise<Deployer> {
  const options = { server: server.url, namespace: 'edge', token: token.current, ...more };
  return kubernetes.create(kubernetes.options.parse(options), createPluginContext('cluster'));
}

/** What an ingress controller would load. */
function servedFor({ secrets }: Cluster, where: DeployRequest['slot']) {
  const data = secrets.get(secretName(where))?.data;
  const [certificatePem = '', keyPem = ''] = ['tls.crt', 'tls.key'].map((name) =>
    Buffer.from(data?.[name] ?? '', 'base64').toString(),
  );
  return data === undefined ? undefined : { certificatePem, keyPem };
}

const base64 = (text: string) => Buffer.from(text).toString('base64');

/** A certificate with its key that somebody put there by hand. */
function pairOfOthers(): Record<string, string> {
  const { certificatePem, privateKeyPem } = createAuthority().issue([slot.label]);
  return { 'tls.crt': base64(certificatePem), 'tls.key': base64(privateKeyPem) };
}

describeDeployTarget('kubernetes', async () => {
  const cluster = await startCluster();
  return {
    create: () => createTarget(cluster),
    read: async (where) => servedFor(cluster, where),
    breakTarget: async () => {
      cluster.server.refuse({
        status: 500,
        json: { kind: 'Status', message: 'etcdserver: request timed out' },
      });
      return async () => cluster.server.refuse(undefined);
    },
    close: cluster.server.stop,
  };
});

describeTargetFaults('kubernetes', async () => {
  const cluster = await startCluster();
  return {
    server: cluster.server,
    create: () => createTarget(cluster),
    served(where) {
      const found = servedFor(cluster, where);
      return found && fingerprintOfPair(found.certificatePem, found.keyPem);
    },
    held: () => [...cluster.secrets].map(([name, { data }]) => `${name} ${JSON.stringify(data)}`),
  };
});

it('the secret says what it is of, in words that Kubernetes takes', async () => {
  const cluster = await started();
  const target = await createTarget(cluster, { labels: { team: 'web' } });
  await deployNow(target, { bundle: await makeBundle([slot.label]), slot });
  expect(cluster.secrets.get('www.example.com.tls')).toMatchObject({
    type: 'kubernetes.io/tls',
    metadata: {
      labels: { team: 'web', 'app.kubernetes.io/managed-by': 'acme-agent' },
      annotations: { 'acme-agent/certificate': 'example.com www.example.com ec' },
    },
  });
});

it('every label and key class has a name of its own, that Kubernetes takes', () => {
  const long = `${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(60)}`;
  const labels = ['*.a.example', 'a.example', 'wildcard.a.example', 'a.example.wildcard', '::1', long];
  const names = labels.flatMap((label) => [secretName(slotOf(label)), secretName(slotOf(label, 'rsa'))]);
  expect(new Set(names).size).toBe(names.length);
  expect(names.slice(0, 4)).toEqual([
    'a.example.wildcard',
    'a.example.wildcard-rsa',
    'a.example.tls',
    'a.example.tls-rsa',
  ]);
  for (const name of names) expect(name).toMatch(/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/);
});

it('a secret of somebody else is left as it is, in use and when nobody asks for it', async () => {
  const cluster = await started();
  cluster.put('www.example.com.tls', { data: pairOfOthers() });
  const before = cluster.secrets.get('www.example.com.tls');
  const target = await createTarget(cluster);
  expect(await target.observe(slot, signal)).toBeUndefined();
  expect(await target.read?.(slot, signal)).toBeUndefined();
  await expect(target.deploy({ bundle: await makeBundle([slot.label]), slot }, signal)).rejects.toMatchObject(
    {
      code: 'deploy.target',
      retry: 'blocked',
      message: 'Kubernetes has a secret www.example.com.tls that is not of the agent',
    },
  );
  await target.remove?.(slot, signal);
  expect(cluster.secrets.get('www.example.com.tls')).toEqual(before);
});

it('with "adopt" it is taken over with all else that is in it, unless it is of another type', async () => {
  const cluster = await started();
  cluster.put('www.example.com.tls', {
    labels: { owner: 'legacy' },
    data: { ...pairOfOthers(), 'ca.crt': base64('of others') },
  });
  cluster.put('other.example.com.tls', { type: 'Opaque', data: {} });
  const target = await createTarget(cluster, { adopt: true });
  const bundle = await makeBundle([slot.label]);
  expect(await deployNow(target, { bundle, slot })).toBe(bundle.certificate.fingerprint);
  const { metadata, data } = cluster.secrets.get('www.example.com.tls') ?? {};
  expect(metadata?.labels).toMatchObject({ owner: 'legacy', 'app.kubernetes.io/managed-by': 'acme-agent' });
  expect(data?.['ca.crt']).toBe(base64('of others'));
  const other = { bundle, slot: slotOf('other.example.com') };
  await expect(target.deploy(other, signal)).rejects.toMatchObject({
    retry: 'blocked',
    message: 'Kubernetes has a secret other.example.com.tls of type Opaque',
  });
});

it('an immutable secret is not written to, ours or one to take over, and the refusal names the remedy', async () => {
  const cluster = await started();
  const target = await createTarget(cluster, { adopt: true });
  const older = await makeBundle([slot.label]);
  await deployNow(target, { bundle: older, slot });
  const ours = cluster.secrets.get('www.example.com.tls');
  if (ours === undefined) throw new Error('nothing was deployed');
  cluster.secrets.set('www.example.com.tls', { ...ours, immutable: true });
  cluster.put('other.example.com.tls', { data: pairOfOthers(), immutable: true });
  const writes = () => cluster.server.calls.filter((call) => !call.startsWith('GET')).length;
  const before = writes();
  for (const where of [slot, slotOf('other.example.com')])
    await expect(
      target.deploy({ bundle: await makeBundle([where.label]), slot: where }, signal),
    ).rejects.toMatchObject({
      retry: 'blocked',
      message: `Kubernetes has a secret ${where.label}.tls that is immutable`,
      advice: 'Delete it; the next deployment makes one that can be changed.',
    });
  expect(writes()).toBe(before);
  expect(await target.observe(slot, signal)).toBe(older.certificate.fingerprint);
});

it('a server that has too much to do says when to come back, and is believed', async () => {
  const cluster = await started();
  cluster.server.refuse({ status: 429, headers: { 'retry-after': '7' }, json: { message: 'too many' } });
  const target = await createTarget(cluster);
  const before = Date.now();
  const error: unknown = await target
    .deploy({ bundle: await makeBundle([slot.label]), slot }, signal)
    .catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: 'deploy.target', retry: 'later', facts: { status: 429 } });
  expect(Reflect.get(Object(error), 'retryAt')).toBeGreaterThanOrEqual(before + 7000);
});

it('what somebody writes between our look and our change is not lost', async () => {
  const cluster = await started();
  const target = await createTarget(cluster);
  await deployNow(target, { bundle: await makeBundle([slot.label]), slot });
  const name = secretName(slot);
  const ours = cluster.secrets.get(name);
  const read = cluster.secrets.get.bind(cluster.secrets);
  let isFirst = true;
  // The answer to the first look is old by the time that it arrives.
  cluster.secrets.get = (key) => {
    const found = read(key);
    if (isFirst && ours !== undefined && found !== undefined) {
      isFirst = false;
      const metadata = {
        ...ours.metadata,
        resourceVersion: '999999',
        labels: { ...ours.metadata.labels, late: 'yes' },
      };
      cluster.secrets.set(key, { ...ours, metadata });
    }
    return found;
  };
  const bundle = await makeBundle([slot.label]);
  expect(await deployNow(target, { bundle, slot })).toBe(bundle.certificate.fingerprint);
  expect(read(name)?.metadata.labels?.late).toBe('yes');
  expect(cluster.server.calls.filter((call) => call.startsWith('PUT'))).toHaveLength(2);
});

it('a secret of ours that somebody emptied is a mismatch, and mended by the next deployment', async () => {
  const cluster = await started();
  const target = await createTarget(cluster);
  const bundle = await makeBundle([slot.label]);
  await deployNow(target, { bundle, slot });
  const held = cluster.secrets.get(secretName(slot));
  if (held === undefined) throw new Error('nothing was deployed');
  cluster.secrets.set(secretName(slot), {
    ...held,
    data: { ...held.data, 'tls.key': pairOfOthers()['tls.key'] ?? '' },
  });
  await expect(target.observe(slot, signal)).rejects.toMatchObject({ code: 'deploy.mismatch' });
  expect(await deployNow(target, { bundle, slot })).toBe(bundle.certificate.fingerprint);
});

it('what lies there can be read back, whole; a certificate that is there is not written again', async () => {
  const cluster = await started();
  const target = await createTarget(cluster);
  const bundle = await makeBundle([slot.label], { chain: 2 });
  await deployNow(target, { bundle, slot });
  await deployNow(target, { bundle, slot });
  expect(cluster.server.calls.filter((call) => !call.startsWith('GET'))).toHaveLength(1);
  const read = await target.read?.(slot, signal);
  expect(read?.chainPem.match(/BEGIN CERTIFICATE/g)).toHaveLength(3);
  expect(Buffer.from(read?.privateKey.reveal() ?? '')).toEqual(Buffer.from(bundle.privateKey.reveal()));
});

it('CA and token come from files, and are read again when they were rotated', async () => {
  const authority = createAuthority();
  const { certificatePem: cert, privateKeyPem: key } = authority.issue(['127.0.0.1']);
  const cluster = await started({ cert, key });
  const folder = mkdtempSync(join(tmpdir(), 'acme-agent-kubernetes-'));
  const [caFile, tokenFile] = [join(folder, 'ca.crt'), join(folder, 'token')];
  writeFileSync(caFile, createAuthority().certificatePem);
  writeFileSync(tokenFile, `${cluster.token.current}\n`);
  const target = await createTarget(cluster, { token: undefined, caFile, tokenFile });
  await expect(target.check?.(signal)).rejects.toMatchObject({ code: 'deploy.target' });
  writeFileSync(caFile, authority.certificatePem);
  await target.check?.(signal);
  cluster.token.current = 'rotated-by-the-cluster';
  await expect(target.check?.(signal)).rejects.toMatchObject({ facts: { status: 401 } });
  writeFileSync(tokenFile, 'rotated-by-the-cluster');
  await target.check?.(signal);
  const absent = await createTarget(cluster, { token: undefined, caFile, tokenFile: join(folder, 'absent') });
  await expect(absent.check?.(signal)).rejects.toThrow(join(folder, 'absent'));
});

it('a check says which rights are missing, and shows no token', async () => {
  const cluster = await started();
  await (await createTarget(cluster)).check?.(signal);
  cluster.verbs.delete('update');
  await expect((await createTarget(cluster)).check?.(signal)).rejects.toMatchObject({
    retry: 'blocked',
    message: 'Kubernetes does not let this account update secrets in edge',
  });
  const wrong = await createTarget(cluster, { token: 'of-another-cluster' });
  const error: unknown = await wrong.check?.(signal).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: 'deploy.target', retry: 'blocked', facts: { status: 401 } });
  expect(inspect(error, { depth: 9 })).not.toContain('of-another-cluster');
});
