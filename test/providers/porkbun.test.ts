import { describe, expect, it, onTestFinished } from 'vitest';
import { porkbun } from '../../providers/porkbun.ts';
import { describeVendor, providerAt } from '../contract/vendor.ts';
import { createPluginContext } from '../support/plugin-context.ts';
import { apiKey, porkbunFront, secretApiKey } from '../support/vendors/porkbun.ts';
import { startVendor } from '../support/vendors/server.ts';

const vendor = {
  definition: porkbun,
  front: porkbunFront,
  options: { apiKey, secretApiKey },
  wrongOptions: { apiKey, secretApiKey: 'sk1_wrong' },
  zoneRef: ({ name }: { name: string }) => ({ name }),
};

describeVendor(vendor);

describe('porkbun', () => {
  it('waits as long as a refusal for haste says in its body', async () => {
    const server = await startVendor(porkbunFront, {});
    onTestFinished(() => server.stop());
    const context = createPluginContext('porkbun');
    const provider = await providerAt(vendor, server, context);
    server.throttleNext();
    const before = context.clock.now();
    const refused = await provider.check?.(new AbortController().signal).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'provider.throttled' });
    expect(Object(refused).retryAt).toBeGreaterThanOrEqual(before + 1000);
  });
});
