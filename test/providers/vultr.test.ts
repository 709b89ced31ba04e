import { expect, it, onTestFinished } from 'vitest';
import { vultr } from '../../providers/vultr.ts';
import { describeVendor, providerAt } from '../contract/vendor.ts';
import { startVendor } from '../support/vendors/server.ts';
import { apiKey, vultrFront } from '../support/vendors/vultr.ts';

const vendor = {
  definition: vultr,
  front: vultrFront,
  options: { apiKey },
  wrongOptions: { apiKey: 'wrong-api-key' },
  zoneRef: ({ name }: { name: string }) => ({ name }),
  notApplicable: { anyText: 'Vultr takes no quotation marks within a text' },
};

describeVendor(vendor);

it('gives a new value the TTL of those that stand there, since Vultr refuses another, and texts as they are', async () => {
  const server = await startVendor(vultrFront, {});
  onTestFinished(() => server.stop());
  const [zone, name] = ['example.test', '_acme-challenge.example.test'];
  const other = { name, type: 'TXT', value: 'a \\ of somebody else; ünd more', ttl: 3600 } as const;
  server.world.addRecord(zone, other);
  const provider = await providerAt({ definition: vultr, options: { apiKey } }, server);
  const signal = new AbortController().signal;
  await provider.apply({ name: zone }, [{ op: 'add', name, value: 'digest', ttl: 120 }], signal);
  const found = await provider.listTxt?.({ name: zone }, [name], signal);
  expect(found).toMatchObject([
    { value: other.value, ttl: 3600 },
    { value: 'digest', ttl: 3600 },
  ]);
});
