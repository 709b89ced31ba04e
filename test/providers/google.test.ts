import { describe, expect, it, onTestFinished } from 'vitest';
import { google } from '../../providers/google.ts';
import { applyChunked } from '../contract/dns-calls.ts';
import { describeVendor, providerAt } from '../contract/vendor.ts';
import { googleFront, idOf, keyAt } from '../support/vendors/google.ts';
import { startVendor } from '../support/vendors/server.ts';

const signal = new AbortController().signal;

const vendor = {
  definition: google,
  front: googleFront,
  options: (url: string) => ({ serviceAccountKey: keyAt(url) }),
  wrongOptions: (url: string) => ({ serviceAccountKey: keyAt(url, 'wrong') }),
  zoneRef: ({ name }: { name: string }) => ({ name, id: idOf(name) }),
};

describeVendor(vendor);

describe('google', () => {
  const add = { op: 'add', name: '_acme-challenge.example.test', value: 'digest', ttl: 60 } as const;
  const zone = { name: 'example.test', id: idOf('example.test') };

  async function start() {
    const server = await startVendor(googleFront, {});
    onTestFinished(() => server.stop());
    return server;
  }

  it('asks for one token for all calls, and signs for it with the key of the account', async () => {
    const server = await start();
    const provider = await providerAt(vendor, server);
    await Promise.all([1, 2, 3].map((value) => provider.listTxt?.(zone, [`n${value}.example.test`], signal)));
    await provider.apply(zone, [add], signal);
    expect(server.calls.filter((call) => call.includes('/token'))).toHaveLength(1);
  });

  it('has tokens and project from the metadata server where no key is given', async () => {
    const server = await start();
    const options = { metadataUrl: `${server.url}/computeMetadata/v1` };
    const provider = await providerAt({ definition: google, options }, server);
    await provider.apply(zone, [add], signal);
    expect(server.world.store.txt(add.name)).toEqual(['digest']);
    expect(server.calls.filter((call) => call.includes('project-id'))).toHaveLength(1);
  });

  it('never overwrites what another writer changed between reading and writing', async () => {
    const server = await start();
    const provider = await providerAt(vendor, server);
    await provider.apply(zone, [{ ...add, value: 'first' }], signal);
    const hang = server.hangNext();
    const applied = applyChunked(provider, zone, [add]);
    await hang.reached;
    server.world.writeTxt(zone.name, { name: add.name, ttl: 60, values: ['first', 'of another'] });
    hang.release();
    await applied;
    expect(server.world.store.txt(add.name)).toEqual(['first', 'of another', 'digest']);
  });

  it.each(['not JSON', '{}', JSON.stringify({ type: 'service_account', private_key: 'x' })])(
    'refuses the key %s in the configuration, without showing it',
    (serviceAccountKey) => {
      const parsed = google.options.safeParse({ serviceAccountKey });
      expect(parsed.error?.message).toMatch(/must be the JSON of a service account key/);
    },
  );
});
