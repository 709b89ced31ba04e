import { X509Certificate } from 'node:crypto';
import { inspect } from 'node:util';
import { afterEach, expect, it } from 'vitest';
import type { Deployer, DeployRequest } from '../../src/core/ports.ts';
import { kong } from '../../src/deploy/kong.ts';
import { describeDeployTarget } from '../contract/deploy-target.ts';
import { describeTargetFaults, fingerprintOfPair } from '../contract/target-faults.ts';
import { createPluginContext } from '../support/plugin-context.ts';
import { type KongServer, startKong } from '../support/targets/kong.ts';
import { deployNow, makeBundle, signal, slot, slotOf } from './fixture.ts';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function started(): Promise<KongServer> {
  const gateway = await startKong();
  closing.push(gateway.server.stop);
  return gateway;
}

async function createTarget({ server, token }: KongServer, more: object = {}): Promise<Deployer> {
  const options = { url: server.url, headers: { 'Kong-Admin-Token': token }, ...more };
  return kong.create(kong.options.parse(options), createPluginContext('gateway'));
}

/** What the name of this slot, and no wildcard above it, gets. */
function servedFor(gateway: KongServer, { label, keyClass }: DeployRequest['slot']) {
  const part = gateway.served(label.replace('*', 'any'), keyClass);
  const names = part && new X509Certificate(part.cert).subjectAltName?.split(', ');
  return names?.includes(`DNS:${label}`) ? part : undefined;
}

describeDeployTarget('kong', async () => {
  const gateway = await startKong();
  return {
    create: () => createTarget(gateway),
    read: async (where) => {
      const part = servedFor(gateway, where);
      return part && { certificatePem: part.cert, keyPem: part.key };
    },
    breakTarget: async () => {
      gateway.server.refuse({ status: 500, json: { message: 'An unexpected error occurred' } });
      return async () => gateway.server.refuse(undefined);
    },
    close: gateway.server.stop,
  };
});

describeTargetFaults('kong', async () => {
  const gateway = await startKong();
  return {
    server: gateway.server,
    create: () => createTarget(gateway),
    served(where) {
      const part = servedFor(gateway, where);
      return part && fingerprintOfPair(part.cert, part.key);
    },
    held: () => [
      ...[...gateway.certificates].map(([id, { cert }]) => `${id} ${cert}`),
      ...[...gateway.snis].map((sni) => sni.join(' ')),
    ],
  };
});

it('all names of a certificate are its SNIs, but for addresses; names that go are gone', async () => {
  const gateway = await started();
  const target = await createTarget(gateway, { tags: ['team:web'] });
  const many = await makeBundle(['example.com', '*.example.com', '192.0.2.7']);
  await deployNow(target, { bundle: many, slot: slotOf('example.com') });
  expect([...gateway.snis.keys()].toSorted()).toEqual(['*.example.com', 'example.com']);
  expect([...gateway.certificates.values()].map(({ tags }) => tags)).toEqual([
    ['managed-by-acme-agent', 'team:web'],
  ]);
  await deployNow(target, { bundle: await makeBundle(['example.com']), slot: slotOf('example.com') });
  expect([...gateway.snis.keys()]).toEqual(['example.com']);
});

it('an SNI that somebody took away is a mismatch', async () => {
  const gateway = await started();
  const target = await createTarget(gateway);
  await deployNow(target, { bundle: await makeBundle([slot.label]), slot });
  gateway.snis.clear();
  await expect(target.observe(slot, signal)).rejects.toMatchObject({
    code: 'deploy.mismatch',
    message: 'Kong has the certificate of www.example.com without the SNI www.example.com',
  });
});

it('a name that another certificate has is refused in words of Kong, and nothing is changed', async () => {
  const gateway = await started();
  gateway.snis.set(slot.label, 'of-somebody-else');
  const target = await createTarget(gateway);
  await expect(target.deploy({ bundle: await makeBundle([slot.label]), slot }, signal)).rejects.toMatchObject(
    {
      code: 'deploy.target',
      retry: 'blocked',
      message: expect.stringContaining("already associated with existing certificate 'of-somebody-else'"),
    },
  );
  expect(gateway.certificates.size).toBe(0);
  expect([...gateway.snis]).toEqual([[slot.label, 'of-somebody-else']]);
});

it('Kong that broke off between certificate and SNIs shows none of it as done, and ends whole', async () => {
  const gateway = await started();
  const target = await createTarget(gateway);
  const bundle = await makeBundle([slot.label]);
  gateway.breaksAtSnis = true;
  await expect(target.deploy({ bundle, slot }, signal)).rejects.toMatchObject({ code: 'deploy.target' });
  await expect(target.observe(slot, signal)).rejects.toMatchObject({ code: 'deploy.mismatch' });
  gateway.breaksAtSnis = false;
  expect(await deployNow(target, { bundle, slot })).toBe(bundle.certificate.fingerprint);
  expect([...gateway.snis.keys()]).toEqual([slot.label]);
  // A replacement that breaks there is served under the names that it had.
  const next = await makeBundle([slot.label]);
  gateway.breaksAtSnis = true;
  await expect(target.deploy({ bundle: next, slot }, signal)).rejects.toMatchObject({
    code: 'deploy.target',
  });
  expect(servedFor(gateway, slot)).toBeDefined();
  expect(await target.observe(slot, signal)).toBe(next.certificate.fingerprint);
});

it('a Kong without a database is found out by a check, and refuses in its own words', async () => {
  const gateway = await started();
  gateway.database = 'off';
  const target = await createTarget(gateway);
  await expect(target.check?.(signal)).rejects.toMatchObject({
    code: 'deploy.target',
    retry: 'blocked',
    message: 'Kong has no database, so its Admin API takes no certificates',
  });
  await expect(target.deploy({ bundle: await makeBundle([slot.label]), slot }, signal)).rejects.toMatchObject(
    {
      retry: 'blocked',
      message: expect.stringContaining("cannot create or update 'certificates' entities"),
      facts: { status: 405 },
    },
  );
});

it('what lies in Kong can be read back, whole', async () => {
  const gateway = await started();
  const target = await createTarget(gateway);
  const bundle = await makeBundle([slot.label], { chain: 2 });
  await deployNow(target, { bundle, slot });
  const read = await target.read?.(slot, signal);
  expect(read?.chainPem.match(/BEGIN CERTIFICATE/g)).toHaveLength(3);
  expect(Buffer.from(read?.privateKey.reveal() ?? '')).toEqual(Buffer.from(bundle.privateKey.reveal()));
  expect(await target.read?.(slotOf('other.example.com'), signal)).toBeUndefined();
});

it('a check says when the token is not taken, without showing it', async () => {
  const gateway = await started();
  await (await createTarget(gateway)).check?.(signal);
  const wrong = await createTarget({ ...gateway, token: 'of-another-kong' });
  const error: unknown = await wrong.check?.(signal).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: 'deploy.target', retry: 'blocked', facts: { status: 401 } });
  expect(inspect(error, { depth: 9 })).not.toContain('of-another-kong');
  expect(gateway.server.calls).toEqual(['GET /certificates', 'GET /', 'GET /certificates']);
});
