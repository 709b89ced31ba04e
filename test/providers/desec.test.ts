import { desec } from '../../providers/desec.ts';
import { describeVendor } from '../contract/vendor.ts';
import { desecFront, token } from '../support/vendors/desec.ts';

const vendor = {
  definition: desec,
  front: desecFront,
  options: { token },
  wrongOptions: { token: 'wrong-token' },
  zoneRef: ({ name }: { name: string }) => ({ name }),
  slow: true,
};

describeVendor(vendor);
