import { scaleway } from '../../providers/scaleway.ts';
import { describeVendor } from '../contract/vendor.ts';
import { scalewayFront, secretKey } from '../support/vendors/scaleway.ts';

const vendor = {
  definition: scaleway,
  front: scalewayFront,
  options: { secretKey },
  wrongOptions: { secretKey: 'wrong-secret-key' },
  zoneRef: ({ name }: { name: string }) => ({ name }),
};

describeVendor(vendor);
