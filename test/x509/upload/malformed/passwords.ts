import { secret } from '../../../../src/core/secret.ts';
import { context, der, sequence } from '../../../../src/x509/der.ts';
import { openssl } from '../../openssl.ts';
import { chain, handIn, key, leaf, pkcs12, whole } from '../pki.ts';
import { cases, type Malformed } from './case.ts';

/** What a password is to open. */
export function malformedPasswords(): readonly Malformed[] {
  const encrypted = (cipher: string) =>
    secret(leaf.key.export({ type: 'pkcs8', format: 'pem', cipher, passphrase: 'open' }).toString()).reveal();
  const scrypt = openssl(['pkcs8', '-topk8', '-scrypt', '-in', 'in', '-passout', 'pass:open'], key);
  const old = openssl(['ec', '-aes256', '-in', 'in', '-passout', 'pass:open'], key);
  const p12 = (...args: readonly string[]) => pkcs12(whole, args);
  const sound = p12();
  const file = (content: Uint8Array, password?: string) =>
    handIn(content, password === undefined ? {} : { password });
  const unopened = 'the password does not open the PKCS #12 file';
  const hungry = replaced(p12('-iter', '100000'), '02030186a0', '02037fffff');
  const tampered = Buffer.from(sound);
  tampered.writeUInt8(tampered.readUInt8(200) ^ 1, 200);
  return cases([
    [
      'a closed key',
      handIn(leaf.pem, { key: encrypted('aes-256-cbc'), chain }),
      'the key file has a password; give it',
    ],
    [
      'a closed key, another password',
      handIn(leaf.pem, { key: encrypted('aes-256-cbc'), chain, password: 'shut' }),
      'the password does not open the key file',
    ],
    [
      'a key closed by 3DES',
      handIn(leaf.pem, { key: encrypted('des-ede3-cbc'), chain, password: 'open' }),
      tooOld('the key file', '3DES'),
    ],
    [
      'a key closed by scrypt',
      handIn(leaf.pem, { key: scrypt, chain, password: 'open' }),
      'the key file is encrypted in a way that is not known here; write it anew with AES, as openssl 3 does',
    ],
    ['a key closed as before PKCS #8', handIn(leaf.pem + chain + old), 'the upload has a password; give it'],
    ['a closed PKCS #12 file', file(sound), 'the PKCS #12 file has a password; give it'],
    ['a PKCS #12 file, another password', file(sound, 'shut'), unopened],
    ['a PKCS #12 file that was changed', file(tampered, 'open'), unopened],
    ['a PKCS #12 file of old', file(p12('-legacy'), 'open'), tooOld('the PKCS #12 file', 'RC2')],
    [
      'a PKCS #12 file with 3DES',
      file(p12('-keypbe', 'PBE-SHA1-3DES', '-certpbe', 'PBE-SHA1-3DES'), 'open'),
      tooOld('the PKCS #12 file', '3DES'),
    ],
    [
      'a PKCS #12 file that asks for too much',
      file(hungry, 'open'),
      'it asks for more than 1000000 rounds of key derivation; encrypt it anew with fewer of them',
    ],
    [
      'a PKCS #12 file without its end',
      file(sound.subarray(0, 900), 'open'),
      'the upload is cut off: it ends before its DER structure does',
    ],
    [
      'a PKCS #12 file without a key',
      file(p12('-nokeys'), 'open'),
      'there is no private key; give the one that the certificate was made for',
    ],
    [
      'PKCS #12 of another kind',
      file(
        sequence(
          der(0x02, Buffer.from([3])),
          sequence(
            der(0x06, Buffer.from('2a864886f70d010702', 'hex')),
            context(0, true, sequence(Buffer.alloc(0), der(0x04, Buffer.alloc(150)))),
          ),
        ),
      ),
      'the PKCS #12 file is protected by a public key; write it anew, protected by a password',
    ],
  ]);
}

function tooOld(what: string, cipher: string): string {
  const anew = what.includes('#12')
    ? '"openssl pkcs12 -legacy -in OLD -out PEM", then "openssl pkcs12 -export -in PEM -out NEW"'
    : '"openssl pkcs8 -in OLD -topk8 -v2 aes-256-cbc -out NEW"';
  return `${what} is encrypted with ${cipher}, which is no longer safe; write it anew with AES: ${anew}`;
}

function replaced(bytes: Buffer, from: string, to: string): Buffer {
  return Buffer.from(bytes.toString('hex').replaceAll(from, to), 'hex');
}
