import { domainToASCII } from 'node:url';
import { AgentError } from './errors.ts';

const label = /^(?!-)[a-z0-9_-]{1,63}(?<!-)$/;

/**
 * A DNS name as lower-case A-labels without a trailing dot; a wildcard only as its whole leftmost label.
 * Throws `command.invalid` with the reason.
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
  if (/^[\d.]+$|:/.test(text)) return 'it is an IP address';
  const name = canonical(text);
  if (name === '' || name === '*.') return 'it has characters that no DNS name has';
  if (name.length > 253) return 'it is longer than 253 characters';
  const labels = (name.startsWith('*.') ? name.slice(2) : name).split('.');
  if (labels.length < 2) return 'it has only one label';
  if (labels.some((part) => part.includes('*'))) return 'a wildcard must be the whole leftmost label';
  const bad = labels.find((part) => !label.test(part));
  if (bad === '') return 'it has an empty label';
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

/** The name without its leftmost label; undefined for a single label. */
export function parentOf(name: string): string | undefined {
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
  const trimmed = text.trim().replace(/\.$/, '');
  const wildcard = trimmed.startsWith('*.');
  const ascii = domainToASCII(wildcard ? trimmed.slice(2) : trimmed);
  // domainToASCII answers '' for what is no name; underscores and over-long labels pass through it.
  return wildcard ? `*.${ascii}` : ascii;
}

function shown(text: string): string {
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
