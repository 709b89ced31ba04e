import { describe, expect, test } from 'vitest';
import { checkWishes } from '../../src/agent/check-wishes.ts';
import { domainsAdd } from '../../src/operations/domains.ts';
import { issue } from '../../src/operations/issue.ts';
import { bench, settings, useBench } from '../operations/fixture.ts';
import { issued, upload } from '../operations/uploads-kit.ts';

useBench();

const check = () => checkWishes({ domains: [], settings }, bench.needs);

describe('a domain of the mode custom', () => {
  test('that has no certificate gets a warning, with both ways to one', async () => {
    await bench.run(domainsAdd, { name: 'example.com', mode: 'custom' });
    expect(await check()).toEqual([
      {
        name: 'domain example.com',
        level: 'warn',
        message: 'has no certificate: mode custom makes none by itself',
        advice:
          'Upload one with "acme-agent certs add FILE", or have one ordered with "acme-agent issue NAME".',
      },
    ]);
  });

  test('that has an upload, or a certificate that somebody asked for, gets none', async () => {
    await bench.run(domainsAdd, { name: 'example.com', mode: 'custom' });
    await bench.run(domainsAdd, { name: 'example.org', mode: 'custom' });
    await upload(issued(['www.example.com']));
    await bench.run(issue, { names: ['www.example.org'] });
    expect(await check()).toEqual([]);
  });
});
