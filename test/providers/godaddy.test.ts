import { describe, expect, it } from 'vitest';
import { godaddy } from '../../providers/godaddy.ts';
import { setTraits } from '../../providers/godaddy-sets.ts';
import { describeVendor } from '../contract/vendor.ts';
import { godaddyFront, key, secret } from '../support/vendors/godaddy.ts';
import { godaddyV3Front, token } from '../support/vendors/godaddy-v3.ts';

const zoneRef = ({ name }: { name: string }) => ({ name });

describeVendor({
  definition: godaddy,
  front: godaddyV3Front,
  options: { token },
  wrongOptions: { token: 'gd_pat_wrong' },
  zoneRef,
});

describeVendor({
  definition: { ...godaddy, name: 'godaddy with a classic key', traits: setTraits },
  provider: 'godaddy',
  front: godaddyFront,
  options: { key, secret },
  wrongOptions: { key, secret: 'wrong-secret' },
  zoneRef,
});

describe('godaddy', () => {
  it.each([{}, { key }, { secret }, { token, key, secret }])('refuses half credentials: %o', (half) => {
    expect(godaddy.options.safeParse(half).error?.message).toMatch(/give token, or key and secret/);
  });
});
