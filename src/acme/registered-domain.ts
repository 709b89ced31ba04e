import { isIP } from 'node:net';
import { getDomain, getPublicSuffix } from 'tldts';

/** Rules of the whole list, also those of companies whose customers have names under one of theirs. */
const rules = { allowPrivateDomains: true, extractHostname: false, validateHostname: false, detectIp: false };

/**
 * What a CA counts the certificates of a name by: the name under its public suffix, or a suffix itself as it is; an IPv4
 * address itself, of an IPv6 address its /64. A wildcard counts as what it stands for.
 */
export function registeredDomain(name: string): string {
  const family = isIP(name);
  if (family === 4) return name;
  if (family === 6) return `${network(name)}::/64`;
  const host = name.startsWith('*.') ? name.slice(2) : name;
  return getDomain(host, rules) ?? host;
}

/** Anybody can register a name under it. Suffixes of companies are theirs, and so are the names that these give away. */
export function isPublicSuffix(name: string): boolean {
  return getPublicSuffix(name, { ...rules, allowPrivateDomains: false }) === name;
}

/** The first four groups, as RFC 5952 writes them. */
function network(address: string): string {
  const [head = '', tail] = new URL(`http://[${address}]/`).hostname.slice(1, -1).split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => '0');
  return [...before, ...zeros, ...after].slice(0, 4).join(':');
}
