import { nameCom } from '../../providers/name-com.ts';
import { describeVendor } from '../contract/vendor.ts';
import { nameComFront, token, username } from '../support/vendors/name-com.ts';

const vendor = {
  definition: nameCom,
  front: nameComFront,
  options: { username, token },
  wrongOptions: { username, token: 'wrong-token' },
  zoneRef: ({ name }: { name: string }) => ({ name }),
};

describeVendor(vendor);
