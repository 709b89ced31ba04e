import { infomaniak } from '../../providers/infomaniak.ts';
import { describeVendor } from '../contract/vendor.ts';
import { infomaniakFront, token } from '../support/vendors/infomaniak.ts';

const vendor = {
  definition: infomaniak,
  front: infomaniakFront,
  options: { token },
  wrongOptions: { token: 'wrong-token' },
  zoneRef: ({ name }: { name: string }) => ({ name }),
};

describeVendor(vendor);
