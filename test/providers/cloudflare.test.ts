import { describe, expect, it, onTestFinished } from 'vitest';
import { cloudflare } from '../../providers/cloudflare.ts';
import { applyChunked } from '../contract/dns-calls.ts';
import { describeVendor, providerAt } from '../contract/vendor.ts';
import { cloudflareFront, token } from '../support/vendors/cloudflare.ts';
import { startVendor } from '../support/vendors/server.ts';

const vendor = {
  definition: cloudflare,
  front: cloudflareFront,
  options: { apiToken: token },
  wrongOptions: { apiToken: 'wrong-token' },
  slow: true,
};

describeVendor(vendor);

describe('cloudflare', () => {
  const add = { op: 'add', name: '_acme-challenge.example.test', value: 'digest', ttl: 60 } as const;
  const signal = new AbortController().signal;

  async function start() {
    const server = await startVendor(cloudflareFront, {});
    onTestFinished(() => server.stop());
    const [{ name, id } = { name: '', id: '' }] = server.world.zones;
    return { server, zone: { name, id }, provider: await providerAt(vendor, server) };
  }

  it('changes many records with one call to look and one to change', async () => {
    const { server, zone, provider } = await start();
    const changes = Array.from({ length: 40 }, (_, index) => ({
      ...add,
      name: `_acme-challenge.h${index}.example.test`,
    }));
    await provider.apply(zone, changes, signal);
    expect(server.calls).toHaveLength(2);
  });

  it('looks again when a copy came, or a record went, between looking and changing', async () => {
    const { server, zone, provider } = await start();
    const { world } = server;
    const racing = async (change: Parameters<typeof applyChunked>[2][number], meanwhile: () => void) => {
      const hang = server.hangNext();
      const applied = applyChunked(provider, zone, [change]);
      await hang.reached;
      meanwhile();
      hang.release();
      await applied;
    };
    await racing(add, () => void world.addRecord(zone.name, { ...add, type: 'TXT' }));
    expect(world.store.txt(add.name)).toEqual(['digest']);
    const [record] = world.records(zone.name).filter(({ type }) => type === 'TXT');
    await racing({ ...add, op: 'remove' }, () => void world.removeRecord(zone.name, record?.id ?? 0));
    expect(world.store.txt(add.name)).toEqual([]);
  });

  it('says that a token sees no zone', async () => {
    const server = await startVendor(cloudflareFront, { zones: [] });
    onTestFinished(() => server.stop());
    const provider = await providerAt(vendor, server);
    await expect(provider.check?.(signal)).rejects.toMatchObject({ code: 'provider.forbidden' });
  });
});
