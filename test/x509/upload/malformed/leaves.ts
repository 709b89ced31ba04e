import { generateKeyPairSync } from 'node:crypto';
import { der } from '../../../../src/x509/der.ts';
import { extension } from '../../../../src/x509/names.ts';
import { forge, forgedAt, keyUse, newKey, registered, rsaKey } from '../../../support/forge.ts';
import { leafWith, names, root, withChain } from '../pki.ts';
import { cases, type Malformed } from './case.ts';

const day = 86_400_000;

/** Certificates that no server must show. */
export function malformedLeaves(): readonly Malformed[] {
  const curve = (name: string) => leafWith({ key: newKey(name) });
  const ed25519 = registered(generateKeyPairSync('ed25519').privateKey);
  const many = Array.from({ length: 1001 }, (_, index) => `h${index}.example.com`);
  const rsaCa = forge({ subject: 'RSA CA', issuer: root, isCa: true, key: rsaKey(2048) });
  const signedWith = (hash: 'sha1' | 'md5') =>
    withChain(leafWith({ issuer: rsaCa, hash }), rsaCa.pem + root.pem);
  const poison = extension('1.3.6.1.4.1.11129.2.4.3', der(0x05), true);
  return cases([
    ['expired', withChain(leafWith({ notAfter: forgedAt - day })), 'it expired at 2026-11-19T12:00:00.000Z'],
    [
      'not valid yet',
      withChain(leafWith({ notBefore: forgedAt + day })),
      'it is not valid before 2026-11-21T12:00:00.000Z; upload it then',
    ],
    [
      'self-signed',
      withChain(forge({ subject: 'own', names })),
      'it is self-signed, which no client trusts; upload one that a CA issued',
    ],
    [
      'a self-signed CA',
      withChain(forge({ subject: 'own', names, isCa: true }), ''),
      'it is self-signed, which no client trusts; upload one that a CA issued',
    ],
    [
      'signed with SHA-1',
      signedWith('sha1'),
      'the certificate of www.example.com is signed with SHA-1, which no client takes any more',
    ],
    [
      'signed with MD5',
      signedWith('md5'),
      'the certificate of www.example.com is signed with MD5, which no client takes any more',
    ],
    [
      'RSA of 1024 bits',
      withChain(leafWith({ key: rsaKey(1024) })),
      'its key is too weak: RSA of 1024 bits; at least 2048 bits are wanted',
    ],
    [
      'RSA of an odd size',
      withChain(leafWith({ key: rsaKey(2304) })),
      'its key is RSA of 2304 bits; take 2048, 3072 or 4096 bits',
    ],
    ['P-521', withChain(curve('P-521')), 'its key is ECDSA on secp521r1; browsers take P-256 and P-384'],
    [
      'a curve of Bitcoin',
      withChain(curve('secp256k1')),
      'its key is ECDSA on secp256k1; browsers take P-256 and P-384',
    ],
    [
      'Ed25519',
      withChain(leafWith({ key: ed25519 })),
      'its key is ed25519; browsers take RSA, and ECDSA on P-256 or P-384',
    ],
    [
      'a common name alone',
      withChain(leafWith({ names: [] })),
      'it has no names: clients ignore the common name, and there is no subject alternative name',
    ],
    [
      'names that no host has',
      withChain(leafWith({ names: ['localhost', '*.*.example.com'] })),
      'none of its names can be served: localhost, *.*.example.com',
    ],
    ['too many names', withChain(leafWith({ names: many })), 'it has more than 1000 names'],
    [
      'for clients',
      withChain(leafWith({ extensions: [keyUse('1.3.6.1.5.5.7.3.2')] })),
      'it is not made for servers: its extended key usage lacks serverAuth',
    ],
    [
      'a precertificate',
      withChain(leafWith({ extensions: [poison] })),
      'it is a precertificate, which only logs take; take the certificate that your CA issued after it',
    ],
  ]);
}
