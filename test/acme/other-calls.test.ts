import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { thumbprint } from '../../src/x509/jwk.ts';
import { loadKey } from '../../src/x509/key.ts';
import { type FakeCa, type Fault, page, problem, reset, startFakeCa } from './fake-ca.ts';
import { layer, never, pki } from './kit.ts';

let ca: FakeCa;
let opened: ReturnType<typeof layer>;

beforeEach(async () => {
  ca = await startFakeCa();
  Object.assign(ca.documents['/dir'] as object, {
    revokeCert: `${ca.url}/revoke`,
    keyChange: `${ca.url}/key-change`,
  });
  ca.documents['/revoke'] = {};
  ca.documents['/key-change'] = {};
  opened = layer({ directoryUrl: ca.directoryUrl, trustPem: ca.trustPem });
  await opened.acme.session('ca', never);
});

afterEach(async () => {
  await opened.acme.close();
  await ca.stop();
});

function postsTo(path: string): FakeCa['requests'] {
  return ca.requests.filter((request) => request.path === path);
}

const later = () => new Date(opened.clock.now() + 3_600_000).toUTCString();

/** What a CA that is in trouble says, and how often it is asked before the worker is free again. */
const faults: Readonly<Record<string, { readonly fault: () => Fault; readonly tries: number }>> = {
  'internal errors': { fault: () => problem(500, 'serverInternal'), tries: 5 },
  'error pages': { fault: () => page(502, '<h1>Bad gateway</h1>'), tries: 5 },
  'broken connections': { fault: () => reset, tries: 5 },
  '503 with a date': {
    fault: () => problem(503, 'serverInternal', {}, { 'retry-after': later() }),
    tries: 1,
  },
  '429 with seconds': {
    fault: () => problem(429, 'rateLimited', {}, { 'retry-after': '3600' }),
    tries: 1,
  },
  'rejected nonces': { fault: () => problem(400, 'badNonce'), tries: 21 },
};

describe.each(Object.entries(faults))('%s', (_, { fault, tries }) => {
  async function met(path: string, work: () => Promise<unknown>): Promise<void> {
    ca.fail(path, ...Array.from({ length: tries }, fault));
    const beganAt = opened.clock.now();
    await expect(work()).rejects.toMatchObject({
      name: 'AgentError',
      code: expect.stringMatching(/^acme\./),
    });
    expect(postsTo(path)).toHaveLength(tries);
    expect(opened.clock.now() - beganAt).toBeLessThan(10_000);
    await work();
    expect(postsTo(path)).toHaveLength(tries + 1);
  }

  test('at revokeCert free the worker within ten seconds, and the next attempt revokes', async () => {
    const key = await pki.generateKey('p256');
    const wish = { leafDer: Buffer.from('leaf'), reason: 'superseded' as const, key: async () => key };
    await met('/revoke', () => opened.acme.revoke('ca', wish, never));
  });

  test('at keyChange free the worker within ten seconds, and the next attempt changes the key', async () => {
    const keyNow = () => thumbprint(loadKey(opened.accounts.records.get('ca')?.key ?? unknown()));
    const before = keyNow();
    await met('/key-change', () => {
      ca.fail('/new-account', problem(400, 'accountDoesNotExist'));
      return opened.acme.rollover('ca', never);
    });
    expect(keyNow()).not.toBe(before);
  });
});

function unknown(): never {
  throw new Error('there is no account');
}
