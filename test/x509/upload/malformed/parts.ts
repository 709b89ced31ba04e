import { createPrivateKey, type KeyObject } from 'node:crypto';
import { forge, keyPem, registered, rsaKey } from '../../../support/forge.ts';
import { block, chain, handIn, intermediate, key, leaf, leafWith, other, whole, withChain } from '../pki.ts';
import { cases, type Malformed } from './case.ts';

/** Parts that are fine each, and do not belong together. */
export function malformedParts(): readonly Malformed[] {
  const rsa = rsaKey(2048);
  const many = Array.from({ length: 25 }, (_, index) => forge({ subject: `ca ${index}`, isCa: true }).pem);
  return cases([
    [
      'swapped files',
      handIn(key, { key: leaf.pem, chain }),
      'the certificate and the key are swapped: each file holds what the other should',
    ],
    [
      'no key',
      handIn(leaf.pem + chain),
      'there is no private key; give the one that the certificate was made for',
    ],
    ['a key alone', handIn(key), 'the upload holds no certificate'],
    [
      'the key twice, in place of the certificate too',
      handIn(key, { key, chain }),
      'the certificate file holds no certificate, but a private key',
    ],
    [
      'a certificate in place of the key',
      handIn(leaf.pem, { key: chain }),
      'the key file holds no private key, but a certificate',
    ],
    [
      'parameters in place of the key',
      handIn(leaf.pem, { key: block('EC PARAMETERS'), chain }),
      'the key file holds no private key',
    ],
    [
      'a key in place of the chain',
      handIn(leaf.pem, { key, chain: key }),
      'the chain file holds no certificate',
    ],
    [
      'two keys',
      handIn(whole + keyPem(other.key)),
      'there are 2 private keys; give that of the certificate only',
    ],
    [
      'the key of another certificate',
      handIn(leaf.pem + chain, { key: keyPem(other.key) }),
      'the key is not that of the certificate: the certificate has ECDSA on prime256v1, the key is ECDSA on prime256v1',
    ],
    [
      'a key of another kind',
      handIn(leaf.pem + chain, { key: keyPem(rsa) }),
      'the key is not that of the certificate: the certificate has ECDSA on prime256v1, the key is RSA of 2048 bits',
    ],
    [
      'the key of the CA',
      handIn(leaf.pem + chain, { key: keyPem(intermediate.key) }),
      'the key is not that of the certificate: the certificate has ECDSA on prime256v1, the key is ECDSA on prime256v1; it is that of Test CA',
    ],
    [
      'a key longer than its curve, which OpenSSL reads and Node does not survive',
      handIn(leaf.pem + chain, { key: block('PRIVATE KEY', tooLong(key)) }),
      'the key file holds a private key that cannot be read: it is damaged or of an unknown kind',
    ],
    [
      'a damaged key',
      withChain({ ...leafWith({ key: rsa }), key: damaged(rsa) }),
      'the private key is damaged: what it signs does not verify',
    ],
    [
      'several servers',
      handIn(other.pem + whole),
      'there are 2 server certificates (api.example.com; www.example.com); upload them one by one, each with its own key',
    ],
    [
      'CAs alone',
      handIn(chain + key),
      "only certificates of CAs were given (Test CA, Test Root); the server's own is missing",
    ],
    [
      'a CA with its key',
      handIn(chain + keyPem(intermediate.key)),
      'the key is that of the CA Test CA; a server needs a certificate of its own',
    ],
    [
      'all the roots of a system',
      handIn(leaf.pem + key, { chain: many.join('') }),
      "it holds 26 certificates; give the server's own and those between it and the root",
    ],
  ]);
}

/** PKCS #8 of a P-256 key whose number takes in what follows it. */
function tooLong(pem: string): Buffer {
  const der = createPrivateKey(pem).export({ type: 'pkcs8', format: 'der' });
  der.writeUInt8(0x66, 35);
  return der;
}

/** The public part is right, the private one is not. */
function damaged(sound: KeyObject): KeyObject {
  const jwk = sound.export({ format: 'jwk' });
  const flip = (text = '') => `${text.slice(0, -4)}${text.slice(-4) === 'AAAA' ? 'BBBB' : 'AAAA'}`;
  return registered(
    createPrivateKey({ key: { ...jwk, d: flip(jwk.d), dp: flip(jwk.dp), dq: flip(jwk.dq) }, format: 'jwk' }),
  );
}
