import { dnsimple } from '../../providers/dnsimple.ts';
import { describeVendor } from '../contract/vendor.ts';
import { dnsimpleFront, token } from '../support/vendors/dnsimple.ts';

const vendor = {
  definition: dnsimple,
  front: dnsimpleFront,
  options: { token },
  wrongOptions: { token: 'wrong-token' },
  zoneRef: ({ name }: { name: string }) => ({ name }),
};

describeVendor(vendor);
