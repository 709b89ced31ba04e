import { isIP } from 'node:net';
import { addressBytes, canonicalAddress } from '../core/address.ts';
import { children, context, type DerNode, der, oid, sequence, tag } from './der.ts';

/** SubjectAltName extension (RFC 5280 §4.2.1.6): dNSName, or iPAddress for an IP address. */
export function subjectAltName(names: readonly string[]): Buffer {
  const entries = names.map((name) =>
    isIP(name) ? context(7, false, addressBytes(name)) : context(2, false, Buffer.from(name, 'latin1')),
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
  return isIP(name) ? ipText(addressBytes(name)) : name.toLowerCase();
}

function ipText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.');
  const long = (Buffer.from(bytes).toString('hex').match(/.{4}/g) ?? []).join(':');
  return canonicalAddress(long) ?? long;
}
