import { describe, expect, test } from 'vitest';
import { slotPath } from '../../src/deploy/slot-path.ts';

const slot = (domain: string, label = domain) => ({
  lineage: `${domain}/${label}/ec`,
  domain,
  label,
  keyClass: 'ec' as const,
});

describe('the place of a slot', () => {
  test.each([
    ['192.0.2.7', '/certs/192.0.2.7/192.0.2.7'],
    ['2001:db8::7', '/certs/2001:db8::7/2001:db8::7'],
    ['::1', '/certs/::1/::1'],
  ])('of the IP address %s is as people write it', (name, link) => {
    expect(slotPath('/certs', slot(name)).link).toBe(link);
  });

  test.each(['..', '../x', 'a/b', '.hidden', '-rf', 'a..b', ''])('is never made of %j', (label) => {
    expect(() => slotPath('/certs', slot('example.com', label))).toThrow(
      expect.objectContaining({ code: 'deploy.target' }),
    );
  });
});
