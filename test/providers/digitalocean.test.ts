import { digitalocean } from '../../providers/digitalocean.ts';
import { describeVendor } from '../contract/vendor.ts';
import { digitaloceanFront, token } from '../support/vendors/digitalocean.ts';

const vendor = {
  definition: digitalocean,
  front: digitaloceanFront,
  options: { token },
  wrongOptions: { token: 'wrong-token' },
  zoneRef: ({ name }: { name: string }) => ({ name }),
};

describeVendor(vendor);
