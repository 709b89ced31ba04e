import { vultr } from '../../providers/vultr.ts';
import { describeVendor } from '../contract/vendor.ts';
import { apiKey, vultrFront } from '../support/vendors/vultr.ts';

const vendor = {
  definition: vultr,
  front: vultrFront,
  options: { apiKey },
  wrongOptions: { apiKey: 'wrong-api-key' },
  zoneRef: ({ name }: { name: string }) => ({ name }),
};

describeVendor(vendor);
