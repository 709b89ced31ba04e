import { describe, expect, it, onTestFinished } from 'vitest';
import { namecheap } from '../../providers/namecheap.ts';
import { describeVendor, providerAt } from '../contract/vendor.ts';
import { account, extrasOf, namecheapFront } from '../support/vendors/namecheap.ts';
import { startVendor } from '../support/vendors/server.ts';

const signal = new AbortController().signal;

const vendor = {
  definition: namecheap,
  front: namecheapFront,
  options: account,
  wrongOptions: { ...account, apiKey: 'wrong-key' },
  zoneRef: ({ name }: { name: string }) => ({ name }),
  slow: true,
};

describeVendor(vendor);

describe('namecheap', () => {
  const zone = { name: 'example.test' };
  const add = {
    op: 'add',
    name: '_acme-challenge.example.test',
    value: 'a "quoted" <b> & more',
    ttl: 60,
  } as const;

  async function start() {
    const server = await startVendor(namecheapFront, {});
    onTestFinished(() => server.stop());
    return { server, provider: await providerAt(vendor, server) };
  }

  it('writes back mail settings, priorities, redirects and TTLs as they were', async () => {
    const { server, provider } = await start();
    const before = structuredClone(extrasOf(server.world, zone.name));
    await provider.apply(zone, [add], signal);
    expect(server.world.store.txt(add.name)).toEqual([add.value]);
    await provider.apply(zone, [{ ...add, op: 'remove' }], signal);
    expect(extrasOf(server.world, zone.name)).toEqual(before);
  });

  it('writes nothing when nothing is to be changed', async () => {
    const { server, provider } = await start();
    await provider.apply(zone, [add], signal);
    const hang = server.hangNext();
    await provider.apply(zone, [add, { ...add, op: 'remove', value: 'never there' }], signal);
    hang.release();
    expect(server.calls).toHaveLength(3);
  });

  it('has no key in a URL', async () => {
    const { server, provider } = await start();
    await provider.findZone?.(add.name, signal);
    await provider.apply(zone, [add], signal);
    expect(server.calls).toEqual(Array.from({ length: 3 }, () => 'POST /xml.response'));
  });

  it('tells an address that is not on the whitelist, with the address', async () => {
    const { server } = await start();
    const elsewhere = { definition: namecheap, options: { ...account, clientIp: '192.0.2.99' } };
    const provider = await providerAt(elsewhere, server);
    await expect(provider.check?.(signal)).rejects.toMatchObject({
      code: 'provider.auth',
      message: /192\.0\.2\.99 is on the whitelist/,
    });
  });
});
