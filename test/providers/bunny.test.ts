import { bunny } from '../../providers/bunny.ts';
import { describeVendor } from '../contract/vendor.ts';
import { accessKey, bunnyFront } from '../support/vendors/bunny.ts';

const vendor = {
  definition: bunny,
  front: bunnyFront,
  options: { accessKey },
  wrongOptions: { accessKey: 'wrong-access-key' },
  zoneRef: ({ name, number }: { name: string; number: number }) => ({ name, id: String(number) }),
};

describeVendor(vendor);
