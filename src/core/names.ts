import { domainToASCII } from 'node:url';
import { canonicalAddress, isAddress } from './address.ts';
import { AgentError } from './errors.ts';

const label = /^(?!-)[a-z0-9-]{1,63}(?<!-)$/;

/**
 * A DNS name as lower-case A-labels without a trailing dot, a wildcard only as its whole leftmost label; or an IP
 * address in its one written form. Throws `command.invalid` with the reason.
 */
export function parseName(text: string): string {
  const reason = refusal(text);
  if (reason !== undefined)
    throw new AgentError('command.invalid', `"${shown(text)}" is not a host name: ${reason}`);
  return canonical(text);
}

/** Why `text` is no name that a certificate can hold; undefined: it is one. */
export function refusal(text: string): string | undefined {
  if (text.length === 0) return 'it is empty';
  if (text.length > 1024) return 'it is longer than 253 characters';
  const address = canonicalAddress(text.trim());
  if (address !== undefined) return refusedAddress(address);
  if (isAddress(text.trim())) return 'it is neither an IP address nor a name';
  const name = canonical(text);
  if (name === '' || name === '*.') return 'it has characters that no DNS name has';
  if (name.length > 253) return 'it is longer than 253 characters';
  const base = name.startsWith('*.') ? name.slice(2) : name;
  if (isAddress(base))
    return base === name ? `write the IP address as ${name}` : 'there is no wildcard of an IP address';
  const labels = base.split('.');
  if (labels.length < 2) return 'it has only one label';
  if (labels.some((part) => part.includes('*'))) return 'a wildcard must be the whole leftmost label';
  const bad = labels.find((part) => !label.test(part));
  if (bad === '') return 'it has an empty label';
  if (bad?.includes('_') === true) return 'it has an underscore, which certificates cannot hold';
  if (bad !== undefined)
    return `its label "${shown(bad)}" is ${bad.length > 63 ? 'longer than 63 characters' : 'not valid'}`;
  return undefined;
}

/** True if `name` is `parent` or lies under it. */
export function isUnder(name: string, parent: string): boolean {
  return name === parent || name.endsWith(`.${parent}`);
}

export function isWildcard(name: string): boolean {
  return name.startsWith('*.');
}

/** The name without its leftmost label; undefined for a single label, and for an IP address. */
export function parentOf(name: string): string | undefined {
  if (isAddress(name)) return undefined;
  const dot = name.indexOf('.');
  return dot === -1 ? undefined : name.slice(dot + 1);
}

/** True if a certificate for `pattern` is valid for `name` (RFC 9525 §6.3: a wildcard covers exactly one label). */
export function covers(pattern: string, name: string): boolean {
  if (pattern === name) return true;
  return isWildcard(pattern) && !isWildcard(name) && parentOf(name) === pattern.slice(2);
}

export function sameNames(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((name) => b.includes(name));
}

function canonical(text: string): string {
  const address = canonicalAddress(text.trim());
  if (address !== undefined) return address;
  const trimmed = text.trim().replace(/\.$/, '');
  const wildcard = trimmed.startsWith('*.');
  const ascii = domainToASCII(wildcard ? trimmed.slice(2) : trimmed);
  // domainToASCII answers '' for what is no name; underscores and over-long labels pass through it.
  return wildcard ? `*.${ascii}` : ascii;
}

function refusedAddress(address: string): string | undefined {
  if (address === '::' || address === '0.0.0.0') return 'no server has this IP address';
  return address.startsWith('::ffff:')
    ? 'it is an IPv4 address in the form of IPv6: write it as 192.0.2.1'
    : undefined;
}

function shown(text: string): string {
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
