import { expect, test } from 'vitest';
import { registeredDomain } from '../../src/acme/registered-domain.ts';

test.each([
  ['www.example.com', 'example.com'],
  ['example.com', 'example.com'],
  ['*.example.com', 'example.com'],
  ['a.b.c.example.co.uk', 'example.co.uk'],
  ['_acme.shop.example.com', 'example.com'],
  ['shop.xn--85x722f.com.cn', 'xn--85x722f.com.cn'],
  ['a.shop.xn--55qx5d.cn', 'shop.xn--55qx5d.cn'],
])('%s counts for %s', (name, domain) => {
  expect(registeredDomain(name)).toBe(domain);
});

test.each([
  ['alice.github.io', 'alice.github.io'],
  ['www.alice.github.io', 'alice.github.io'],
  ['a.b.alice.blogspot.com', 'alice.blogspot.com'],
])('under a suffix of a company %s counts for %s', (name, domain) => {
  expect(registeredDomain(name)).toBe(domain);
});

test.each(['co.uk', 'github.io', '*.github.io'])('the public suffix %s counts as it is', (name) => {
  expect(registeredDomain(name)).toBe(name.replace('*.', ''));
});

test.each([
  ['a.x.kawasaki.jp', 'a.x.kawasaki.jp'],
  ['a.city.kawasaki.jp', 'city.kawasaki.jp'],
  ['deep.hosts.test', 'hosts.test'],
])('by a wildcard rule, an exception, or no rule at all %s counts for %s', (name, domain) => {
  expect(registeredDomain(name)).toBe(domain);
});

test.each([
  ['192.0.2.7', '192.0.2.7'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:0db8:0001:0002::1', '2001:db8:1:2::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
])('the address %s counts for %s', (name, range) => {
  expect(registeredDomain(name)).toBe(range);
});
