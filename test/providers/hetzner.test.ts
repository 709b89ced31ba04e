import { hetzner } from '../../providers/hetzner.ts';
import { describeVendor } from '../contract/vendor.ts';
import { hetznerFront, token } from '../support/vendors/hetzner.ts';

const vendor = {
  definition: hetzner,
  front: hetznerFront,
  options: { apiToken: token },
  wrongOptions: { apiToken: 'wrong-token' },
  zoneRef: ({ name, number }: { name: string; number: number }) => ({ name, id: String(number) }),
  slow: true,
};

describeVendor(vendor);
