import { porkbun } from '../../providers/porkbun.ts';
import { describeVendor } from '../contract/vendor.ts';
import { apiKey, porkbunFront, secretApiKey } from '../support/vendors/porkbun.ts';

const vendor = {
  definition: porkbun,
  front: porkbunFront,
  options: { apiKey, secretApiKey },
  wrongOptions: { apiKey: 'pk1_somebody', secretApiKey },
  zoneRef: ({ name }: { name: string }) => ({ name }),
};

describeVendor(vendor);
