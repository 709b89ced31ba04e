import { beforeEach, describe, expect, test } from 'vitest';
import { renderText } from '../../src/cli/render.ts';
import type { Finding } from '../../src/core/ports.ts';
import { domainsAdd } from '../../src/operations/domains.ts';
import { preflight } from '../../src/operations/preflight.ts';
import { why } from '../../src/operations/why.ts';
import { bench, start, useBench } from './fixture.ts';

useBench();
beforeEach(async () => {
  await bench.run(domainsAdd, {
    name: 'example.com',
    hosts: ['www.example.com'],
    issuers: ['letsencrypt', 'zerossl'],
  });
});

const name = 'www.example.com';

function finding(level: Finding['level'], message: string): Finding {
  return { name, level, code: 'challenge.caa', message };
}

describe('preflight', () => {
  test('looks as each issuer of the domain would, and lets the issuer be asked who it is', async () => {
    bench.preflight.findings = ({ issuer }) =>
      issuer === 'zerossl' ? [finding('stop', 'Add this record.')] : [finding('fine', 'All is well.')];
    const answer = await bench.run(preflight, { name });
    expect(bench.preflight.asked).toEqual([
      { issuer: 'letsencrypt', names: [name], challenge: 'http-01' },
      { issuer: 'zerossl', names: [name], challenge: 'http-01' },
    ]);
    expect(renderText('preflight', answer)).toBe(
      [
        'letsencrypt, for www.example.com by http-01:',
        '  ok      All is well.',
        '  Nothing is in the way of an order.',
        'zerossl, for www.example.com by http-01:',
        '  STOPS   Add this record.',
        '  The CA would refuse it.',
        '',
      ].join('\n'),
    );
  });

  test('says what several issuers would find once', async () => {
    bench.preflight.findings = () => [finding('warning', 'Port 80 is silent.')];
    const text = renderText('preflight', await bench.run(preflight, { name }));
    expect(text.match(/Port 80/g)).toHaveLength(1);
    expect(text.match(/An order may fail/g)).toHaveLength(2);
  });

  test('works for a name that is yet to be added, as its certificate would be', async () => {
    expect(await bench.run(preflight, { name: 'new.example.com' })).toMatchObject({
      names: ['new.example.com'],
      challenge: 'http-01',
      mode: 'on',
    });
    await bench.run(domainsAdd, { name: 'example.org', dnsAccount: 'route53', hosts: ['a.example.org'] });
    expect(await bench.run(preflight, { name: 'b.example.org' })).toMatchObject({
      names: ['example.org', '*.example.org'],
      challenge: 'dns-01',
    });
  });

  test('is refused for a name of no domain', async () => {
    await expect(bench.run(preflight, { name: 'www.example.net' })).rejects.toMatchObject({
      code: 'command.notFound',
    });
  });
});

describe('why', () => {
  const warnings = [{ at: start - 60_000, issuer: 'letsencrypt', name, message: 'Port 80 is silent.' }];
  const lineage = 'example.com/www.example.com/ec';
  const line = 'Seen before the last order, 1 minute ago: Port 80 is silent.';

  test('tells what was seen before an order that failed', async () => {
    await bench.remember(lineage, { failures: 1, warnings });
    expect((await bench.run(why, { host: name })).lines).toContain(line);
  });

  test('does not tell it when nothing fails', async () => {
    await bench.remember(lineage, { warnings });
    expect((await bench.run(why, { host: name })).lines).not.toContain(line);
  });
});
