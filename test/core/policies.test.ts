import { describe, expect, it } from 'vitest';
import { derivePolicies } from '../../src/core/policies.ts';
import type { Domain } from '../../src/core/types.ts';
import { aDomain, aHost, settings } from './given.ts';

const [programmable, person] = settings.dnsAccounts;

function policiesOf(domain: Parameters<typeof aDomain>[0], hosts: readonly string[], account = programmable) {
  const wish = { domain: aDomain(domain), hosts: hosts.map((name) => aHost(name)), groups: [] };
  return derivePolicies(wish, account).map(
    ({ id, names, challenge }) => `${id}: ${names.join(' ')} (${challenge})`,
  );
}

describe('the policies of a domain', () => {
  it('are the apex and its wildcard where we can write the zone, with one more wildcard for each deeper parent', () => {
    expect(policiesOf({}, ['example.com', 'www.example.com', 'a.b.example.com', 'c.b.example.com'])).toEqual([
      'example.com/*.example.com: example.com *.example.com (dns-01)',
      'example.com/*.b.example.com: *.b.example.com (dns-01)',
    ]);
  });

  it('are one a host where a person writes the zone', () => {
    expect(policiesOf({}, ['example.com', 'www.example.com'], person)).toEqual([
      'example.com/example.com: example.com (http-01)',
      'example.com/www.example.com: www.example.com (http-01)',
    ]);
  });

  it('stay individual when the domain asks for http-01 though its zone is programmable', () => {
    expect(policiesOf({ challenge: 'http-01' }, ['www.example.com'])).toEqual([
      'example.com/www.example.com: www.example.com (http-01)',
    ]);
  });

  it('of an individual domain with a programmable zone are validated by dns-01', () => {
    expect(policiesOf({ mode: 'individual' }, ['www.example.com'])).toEqual([
      'example.com/www.example.com: www.example.com (dns-01)',
    ]);
  });

  it('stay what they were when their DNS account left the file', () => {
    const namesOf = (mode: Domain['mode']) => {
      const domain = aDomain({ mode, dnsAccount: 'gone' });
      return derivePolicies({ domain, hosts: [aHost('www.example.com')], groups: [] }, undefined).map(
        ({ names, challenge }) => [...names, challenge],
      );
    };
    expect(namesOf('auto')).toEqual([['example.com', '*.example.com', 'dns-01']]);
    expect(namesOf('individual')).toEqual([['www.example.com', 'dns-01']]);
  });

  it('are none for a domain with custom certificates, and none for a disabled one', () => {
    expect(policiesOf({ mode: 'custom' }, ['www.example.com'])).toEqual([]);
    expect(policiesOf({ disabledAt: 1 }, ['www.example.com'])).toEqual([]);
  });

  it('take the name of their group, whose host then needs none of its own', () => {
    const group = {
      domain: 'example.com',
      label: 'www.example.com',
      names: ['www.example.com', 'example.com'],
      origin: { kind: 'runtime' },
    } as const;
    const wish = {
      domain: aDomain({ mode: 'individual' }),
      hosts: [aHost('www.example.com')],
      groups: [group],
    };
    expect(derivePolicies(wish, person).map(({ id, names }) => [id, names])).toEqual([
      ['example.com/www.example.com', ['www.example.com', 'example.com']],
    ]);
  });

  it.each<[string, readonly string[], readonly string[], readonly string[]]>([
    [
      '*.dev.example.com',
      ['*.dev.example.com', 'dev.example.com'],
      ['a.dev.example.com'],
      ['*.dev.example.com', 'dev.example.com'],
    ],
    ['*.example.com', ['*.example.com'], [], ['example.com', '*.example.com']],
  ])(
    'are one where a group has the label %s of a wildcard, with the names of both',
    (label, names, hosts, joined) => {
      const group = { domain: 'example.com', label, names, origin: { kind: 'runtime' } } as const;
      const wish = { domain: aDomain(), hosts: hosts.map((name) => aHost(name)), groups: [group] };
      const policies = derivePolicies(wish, programmable).filter((policy) => policy.label === label);
      expect(policies.map((policy) => policy.names)).toEqual([joined]);
    },
  );

  it('refuse a wildcard by http-01 and say what to do', () => {
    expect(() => policiesOf({ mode: 'wildcard', challenge: 'http-01' }, [])).toThrow(
      '*.example.com needs dns-01, but example.com uses http-01: give the domain a DNS account',
    );
  });
});
