import { linode } from '../../providers/linode.ts';
import { describeVendor } from '../contract/vendor.ts';
import { linodeFront, token } from '../support/vendors/linode.ts';

const vendor = {
  definition: linode,
  front: linodeFront,
  options: { token },
  wrongOptions: { token: 'wrong-token' },
  zoneRef: ({ name, number }: { name: string; number: number }) => ({ name, id: String(number) }),
};

describeVendor(vendor);
