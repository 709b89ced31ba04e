import { URL } from 'node:url';
import type { Domain, ServerAddress } from './types.ts';

const octet = '(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)';
const ipv4 = new RegExp(`^${octet}(?:\\.${octet}){3}$`);

/** An IP address in its one written form (RFC 1123 §2.1, RFC 5952 §4), as identifiers are (RFC 8738 §3); undefined: it is none. */
export function canonicalAddress(text: string): string | undefined {
  if (ipv4.test(text)) return text;
  if (!/^[\da-f:.]*:[\da-f:.]*$/i.test(text)) return undefined;
  const url = `http://[${text}]/`;
  return URL.canParse(url) ? new URL(url).hostname.slice(1, -1) : undefined;
}

/** True for an IP address among canonical names: no DNS name has a colon, or nothing but digits and dots. */
export function isAddress(name: string): boolean {
  return /^[\d.]+$|:/.test(name);
}

/** Four or sixteen bytes of an address. */
export function addressBytes(address: string): Uint8Array {
  if (ipv4.test(address)) return Uint8Array.from(address.split('.').map(Number));
  const [head = '', tail] = (canonicalAddress(address) ?? '').split('::');
  const groups = (text: string) => (text === '' ? [] : text.split(':'));
  const after = tail === undefined ? [] : groups(tail);
  const middle = Array<string>(8 - groups(head).length - after.length).fill('0');
  const values = [...groups(head), ...middle, ...after].map((group) => Number.parseInt(group, 16));
  return Uint8Array.from(values.flatMap((value) => [value >> 8, value & 0xff]));
}

/** `192.0.2.1:443`, `[2001:db8::1]:443`. */
export function addressText({ host, port }: ServerAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** The name of an address in the reverse DNS (RFC 1035 §3.5, RFC 3596 §2.5): in TLS-ALPN-01 the CA asks for it (RFC 8738 §6). */
export function reverseName(address: string): string {
  const bytes = [...addressBytes(address)];
  if (bytes.length === 4) return `${bytes.reverse().join('.')}.in-addr.arpa`;
  const nibbles = bytes.flatMap((byte) => [byte >> 4, byte & 0xf].map((nibble) => nibble.toString(16)));
  return `${nibbles.reverse().join('.')}.ip6.arpa`;
}

/** What an IP address cannot have as a domain, where the defaults or somebody say so; undefined: it can be. RFC 8738 §7. */
export function addressRefusal({
  name,
  mode,
  challenge,
}: Pick<Domain, 'name' | 'mode' | 'challenge'>):
  | { readonly field: 'mode' | 'challenge'; readonly message: string }
  | undefined {
  if (!isAddress(name)) return undefined;
  if (mode === 'wildcard')
    return {
      field: 'mode',
      message: `${name} is an IP address and has no wildcard: use the mode individual`,
    };
  if (challenge === undefined || challenge === 'http-01' || challenge === 'tls-alpn-01') return undefined;
  const message = `${name} is an IP address, which ${challenge} cannot prove: use the challenge http-01 or tls-alpn-01`;
  return { field: 'challenge', message };
}

/** Tells whether an address lies in one of these ranges (`10.0.0.0/8`, `fd00::/8`, or one address). IPv4 in the form of IPv6 counts as IPv4. */
export function createRangeCheck(ranges: readonly string[]): (address: string) => boolean {
  const known = ranges.map((range) => {
    const [network = '', bits] = range.split('/');
    const bytes = plainBytes(network);
    const ofMapped = network.includes(':') && bytes.length === 4 ? 96 : 0;
    return { bytes, bits: bits === undefined ? bytes.length * 8 : Number(bits) - ofMapped };
  });
  return (address) => {
    const own = plainBytes(address.replace(/%.*$/, ''));
    return known.some(({ bytes, bits }) => bytes.length === own.length && sharesBits(bytes, own, bits));
  };
}

function plainBytes(address: string): Uint8Array {
  const bytes = addressBytes(address);
  const isMapped = bytes.length === 16 && bytes.every((byte, i) => i > 11 || byte === (i < 10 ? 0 : 0xff));
  return isMapped ? bytes.subarray(12) : bytes;
}

function sharesBits(one: Uint8Array, other: Uint8Array, bits: number): boolean {
  return one.every((byte, i) => {
    const left = Math.min(8, Math.max(0, bits - 8 * i));
    return (byte ^ (other[i] ?? 0)) >> (8 - left) === 0;
  });
}
