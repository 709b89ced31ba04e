import { expect, it } from 'vitest';
import { alidns } from '../../providers/alidns.ts';
import { signAcs3 } from '../../providers/alidns-signature.ts';
import { describeVendor } from '../contract/vendor.ts';
import { accessKeyId, accessKeySecret, alidnsFront } from '../support/vendors/alidns.ts';

describeVendor({
  definition: alidns,
  front: alidnsFront,
  options: { accessKeyId, accessKeySecret },
  wrongOptions: { accessKeyId, accessKeySecret: 'wrong-secret' },
  zoneRef: ({ name }) => ({ name }),
});

const docs = 'https://www.alibabacloud.com/help/en/sdk/product-overview/v3-request-structure-and-signature';

it(`signs the example of ${docs} as it is signed there`, () => {
  const query = 'ImageId=win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd&RegionId=cn-shanghai';
  const url = new URL(`https://ecs.cn-shanghai.aliyuncs.com/?${query}`);
  const headers = {
    accept: 'application/json',
    'x-acs-action': 'RunInstances',
    'x-acs-version': '2014-05-26',
  };
  const key = { accessKeyId: 'YourAccessKeyId', accessKeySecret: 'YourAccessKeySecret' };
  const once = { now: Date.parse('2023-10-26T10:22:32Z'), nonce: '3156853299f313e23d1673dc12e1703d' };
  expect(signAcs3({ method: 'POST', url, body: undefined, headers }, key, once)).toMatchObject({
    'x-acs-date': '2023-10-26T10:22:32Z',
    authorization:
      'ACS3-HMAC-SHA256 Credential=YourAccessKeyId,SignedHeaders=' +
      'host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version,' +
      'Signature=06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0',
  });
});
