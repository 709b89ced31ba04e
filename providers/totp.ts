import { createHmac } from 'node:crypto';
import type { Instant } from '../src/core/types.ts';
import { secretText } from '../src/plugin/fields.ts';

/** A code is good for so long. */
export const stepMs = 30_000;
const digits = 6;
const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** The option for a secret that an authenticator app shares with a vendor: base32, as it is shown when it is set up. */
export function totpSecret() {
  return secretText().refine(
    (text) => /^[a-z2-7]{16,}=*$/i.test(plain(text.reveal())),
    'must be the shared secret in base32, not a code of six digits',
  );
}

/** The code of an instant (RFC 6238, with HMAC-SHA-1, 30 seconds and six digits). */
export function totpCode(secret: string, now: Instant): string {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(now / stepMs)));
  const mac = createHmac('sha1', decodeBase32(secret)).update(counter).digest();
  const offset = (mac.at(-1) ?? 0) & 0xf;
  const number = mac.readUInt32BE(offset) & 0x7fff_ffff;
  return String(number % 10 ** digits).padStart(digits, '0');
}

function decodeBase32(text: string): Buffer {
  const bits = [...plain(text).toUpperCase().replace(/=+$/, '')]
    .map((character) => alphabet.indexOf(character).toString(2).padStart(5, '0'))
    .join('');
  const octets = bits.match(/[01]{8}/g) ?? [];
  return Buffer.from(octets.map((octet) => Number.parseInt(octet, 2)));
}

/** It is shown in groups. */
function plain(text: string): string {
  return text.replace(/[\s-]/g, '');
}
