import { powerdns } from '../../providers/powerdns.ts';
import { describeVendor } from '../contract/vendor.ts';
import { apiKey, powerdnsFront } from '../support/vendors/powerdns.ts';

const vendor = {
  definition: powerdns,
  front: powerdnsFront,
  options: { apiKey },
  wrongOptions: { apiKey: 'wrong-api-key' },
  zoneRef: ({ name }: { name: string }) => ({ name, id: `${name}.` }),
};

describeVendor(vendor);
