import { expect, it } from 'vitest';
import { dnsProviders } from '../../providers/index.ts';
import { renderProviders } from '../support/provider-docs.ts';

it('describes every provider in providers/README.md as it is defined', async () => {
  await expect(renderProviders(dnsProviders)).toMatchFileSnapshot('../../providers/README.md');
});

it('shows each secret option as one', () => {
  const text = renderProviders(dnsProviders);
  for (const name of ['secretAccessKey', 'sessionToken', 'tsig.secret']) {
    expect(text).toMatch(new RegExp(`\\| \`${name}\` +\\| secret +\\|`));
  }
});
