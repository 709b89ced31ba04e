import { expect, it, onTestFinished } from 'vitest';
import { tencent } from '../../providers/tencent.ts';
import { signTc3 } from '../../providers/tencent-signature.ts';
import { describeVendor, providerAt } from '../contract/vendor.ts';
import { startVendor } from '../support/vendors/server.ts';
import { secretId, secretKey, tencentFront } from '../support/vendors/tencent.ts';

const vendor = {
  definition: tencent,
  front: tencentFront,
  options: { secretId, secretKey },
  wrongOptions: { secretId, secretKey: 'wrong-secret-key' },
  zoneRef: ({ name }: { name: string }) => ({ name }),
};

describeVendor(vendor);

it('knows a domain with letters of a language by its ASCII form', async () => {
  const server = await startVendor(tencentFront, { zones: ['xn--bcher-kva.test'] });
  onTestFinished(() => server.stop());
  const provider = await providerAt(vendor, server);
  const found = provider.findZone?.('_acme-challenge.xn--bcher-kva.test', new AbortController().signal);
  await expect(found).resolves.toEqual({ name: 'xn--bcher-kva.test' });
});

it('signs the example of https://www.tencentcloud.com/document/product/267/37447 as it is signed there', () => {
  const body = String.raw`{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}`;
  const url = new URL('https://cvm.tencentcloudapi.com/');
  const key = { secretId: 'AKIDEXAMPLE', secretKey: 'Gu5t9xGARNpq86cd98joQYCN3EXAMPLE', service: 'cvm' };
  const headers = { 'content-type': 'application/json; charset=utf-8' };
  expect(signTc3({ method: 'POST', url, body, headers }, key, 1_551_113_065_000)).toEqual({
    authorization:
      'TC3-HMAC-SHA256 Credential=AKIDEXAMPLE/2019-02-25/cvm/tc3_request, SignedHeaders=content-type;host, ' +
      'Signature=72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168',
    'x-tc-timestamp': '1551113065',
  });
});
