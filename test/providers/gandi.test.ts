import { gandi } from '../../providers/gandi.ts';
import { describeVendor } from '../contract/vendor.ts';
import { gandiFront, token } from '../support/vendors/gandi.ts';

const vendor = {
  definition: gandi,
  front: gandiFront,
  options: { token },
  wrongOptions: { token: 'wrong-token' },
  zoneRef: ({ name }: { name: string }) => ({ name }),
};

describeVendor(vendor);
