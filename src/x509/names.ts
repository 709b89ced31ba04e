import { isIP } from 'node:net';
import { children, context, type DerNode, der, oid, sequence, tag } from './der.ts';

/** SubjectAltName extension (RFC 5280 §4.2.1.6): dNSName, or iPAddress for an IP address. */
export function subjectAltName(names: readonly string[]): Buffer {
  const entries = names.map((name) =>
    isIP(name) ? context(7, false, ipBytes(name)) : context(2, false, Buffer.from(name, 'latin1')),
  );
  return extension('2.5.29.17', sequence(...entries));
}

export function extension(dotted: string, value: Uint8Array, critical = false): Buffer {
  const flag = critical ? [der(tag.boolean, Buffer.from([0xff]))] : [];
  return sequence(oid(dotted), ...flag, der(tag.octetString, value));
}

/** DNS names in lower case and IP addresses in their usual form; other kinds of names are left out. */
export function readNames(generalNames: DerNode): readonly string[] {
  return children(generalNames).flatMap((name) => {
    if (name.tag === 0x82) return [name.body.toString('latin1').toLowerCase()];
    if (name.tag === 0x87) return [ipText(name.body)];
    return [];
  });
}

/** What a name looks like when read back from a certificate. */
export function canonicalName(name: string): string {
  return isIP(name) ? ipText(ipBytes(name)) : name.toLowerCase();
}

function ipBytes(address: string): Buffer {
  if (isIP(address) === 4) return Buffer.from(address.split('.').map(Number));
  const [head = '', tail] = ipv6(address).split('::');
  const groups = (text: string) => (text === '' ? [] : text.split(':'));
  const after = tail === undefined ? [] : groups(tail);
  const middle = Array<string>(8 - groups(head).length - after.length).fill('0');
  return Buffer.from(
    [...groups(head), ...middle, ...after].map((group) => group.padStart(4, '0')).join(''),
    'hex',
  );
}

function ipText(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join('.');
  return ipv6((bytes.toString('hex').match(/.{4}/g) ?? []).join(':'));
}

/** The compressed lower-case form of RFC 5952, which the URL parser makes. */
function ipv6(address: string): string {
  return new URL(`http://[${address}]/`).hostname.slice(1, -1);
}
