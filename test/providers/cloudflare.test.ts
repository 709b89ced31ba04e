import { cloudflare } from '../../providers/cloudflare.ts';
import { describeVendor } from '../contract/vendor.ts';
import { cloudflareFront, token } from '../support/vendors/cloudflare.ts';

const vendor = {
  definition: cloudflare,
  front: cloudflareFront,
  options: { apiToken: token },
  wrongOptions: { apiToken: 'wrong-token' },
  slow: true,
};

describeVendor(vendor);
