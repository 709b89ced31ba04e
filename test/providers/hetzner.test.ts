import { expect, it, onTestFinished } from 'vitest';
import { hetzner } from '../../providers/hetzner.ts';
import { describeVendor, providerAt } from '../contract/vendor.ts';
import { hetznerFront, token } from '../support/vendors/hetzner.ts';
import { startVendor } from '../support/vendors/server.ts';

const vendor = {
  definition: hetzner,
  front: hetznerFront,
  options: { apiToken: token },
  wrongOptions: { apiToken: 'wrong-token' },
  zoneRef: ({ name, number }: { name: string; number: number }) => ({ name, id: String(number) }),
  slow: true,
};

describeVendor(vendor);

it('tells of each value whether the action that hetzner began for it was done', async () => {
  const server = await startVendor(hetznerFront, {});
  onTestFinished(() => server.stop());
  const provider = await providerAt(vendor, server);
  const add = { op: 'add', value: 'digest', ttl: 60 } as const;
  const names = ['lucky', 'unlucky', 'other'].map((label) => `_acme-challenge.${label}.example.test`);
  const changes = names.map((name) => ({ ...add, name }));
  const zone = vendor.zoneRef(server.world.zones[0] ?? { name: '', number: 0 });
  const { outcomes } = await provider.apply(zone, changes, new AbortController().signal);
  expect(outcomes).toMatchObject([
    { ok: true },
    { ok: false, error: { message: /unlucky.*action_failed: Action failed/ } },
    { ok: true },
  ]);
});
