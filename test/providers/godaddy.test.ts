import { godaddy } from '../../providers/godaddy.ts';
import { describeVendor } from '../contract/vendor.ts';
import { godaddyFront, key, secret } from '../support/vendors/godaddy.ts';

const vendor = {
  definition: godaddy,
  front: godaddyFront,
  options: { key, secret },
  wrongOptions: { key, secret: 'wrong-secret' },
  zoneRef: ({ name }: { name: string }) => ({ name }),
};

describeVendor(vendor);
