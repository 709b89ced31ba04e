import { X509Certificate } from 'node:crypto';
import { inspect } from 'node:util';
import { afterEach, expect, it } from 'vitest';
import { webhook } from '../../src/deploy/webhook.ts';
import { describeDeployTarget } from '../contract/deploy-target.ts';
import { describeTargetFaults } from '../contract/target-faults.ts';
import { createSharedContexts } from '../support/targets/context.ts';
import { startReceiver } from '../support/targets/receiver.ts';
import { deployNow, makeBundle, signal, slot } from './fixture.ts';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function setUp() {
  const receiver = await startReceiver();
  const contextOf = createSharedContexts('platform');
  const create = async () => webhook.create(webhook.options.parse(receiver.options), contextOf());
  return { ...receiver, create };
}

async function started() {
  const receiver = await setUp();
  closing.push(receiver.server.stop);
  return receiver;
}

describeDeployTarget('webhook', async () => {
  const { server, held, create } = await setUp();
  return {
    create,
    read: async ({ lineage }) => {
      const certificatePem = held.get(lineage);
      return certificatePem === undefined ? undefined : { certificatePem, keyPem: undefined };
    },
    breakTarget: async () => {
      server.refuse({ status: 500 });
      return async () => server.refuse(undefined);
    },
    close: server.stop,
  };
});

describeTargetFaults('webhook', async () => {
  const { server, held, create } = await setUp();
  return {
    server,
    create,
    served: ({ lineage }) => {
      const pem = held.get(lineage);
      return pem && new X509Certificate(pem).fingerprint256.replaceAll(':', '').toLowerCase();
    },
    held: () => [...held.entries()].map(([lineage, pem]) => `${lineage} ${pem}`),
  };
});

it('tells what is public of a certificate, and never its key', async () => {
  const { bodies, create } = await started();
  const bundle = await makeBundle(['www.example.com'], { chain: 2 });
  await deployNow(await create(), { bundle, slot });
  const { certificate } = bundle;
  expect(JSON.parse(bodies[0] ?? '')).toMatchObject({
    version: 1,
    event: 'deployed',
    target: 'platform',
    lineage: 'example.com/www.example.com/ec',
    certificate: {
      fingerprint: certificate.fingerprint,
      serial: certificate.serial,
      names: ['www.example.com'],
      notAfter: certificate.notAfter,
      pem: expect.stringMatching(/^(?:-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----\n){3}$/),
    },
  });
  expect(bodies.join()).not.toContain('PRIVATE KEY');
});

it.each([
  [503, 'later'],
  [429, 'later'],
  [404, 'blocked'],
  [302, 'blocked'],
])('an answer %i is tried again %s, and shows neither URL nor secret', async (status, retry) => {
  const { server, create } = await started();
  const bundle = await makeBundle(['www.example.com']);
  server.refuse({ status, headers: { 'retry-after': '120', location: '/elsewhere' } });
  const error = await (await create()).deploy({ bundle, slot }, signal).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: 'deploy.target', retry, facts: { status } });
  expect(inspect(error, { depth: 9 })).not.toContain('canary-');
  expect(server.calls).toHaveLength(1);
});

it('a certificate that is not there any more is not told to be removed', async () => {
  const { server, create } = await started();
  await (await create()).remove?.(slot, signal);
  expect(server.calls).toEqual([]);
});

it('a check reaches the server without the path', async () => {
  const { server, create } = await started();
  await (await create()).check?.(signal);
  expect(server.calls).toEqual(['HEAD /']);
});
