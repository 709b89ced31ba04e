import { der, sequence } from '../../../../src/x509/der.ts';
import { block, chain, handIn, key, leaf, whole } from '../pki.ts';
import { cases, type Malformed } from './case.ts';

/** Files that are not what they should be, as text or as octets. */
export function malformedFiles(): readonly Malformed[] {
  const cut = (text: string, part: number) => text.slice(0, Math.floor(text.length * part));
  const body = leaf.der.toString('base64');
  const jks = Buffer.concat([Buffer.from('feedfeed00000002', 'hex'), Buffer.alloc(200)]);
  const flipped = Buffer.from(leaf.der);
  flipped.writeUInt8(flipped.readUInt8(flipped.length - 5) ^ 1, flipped.length - 5);
  return cases([
    ['nothing', handIn(''), 'the upload is empty'],
    ['blanks', handIn(' \r\n\t \n', { key }), 'the certificate file is empty'],
    ['an empty key file', handIn(leaf.pem + chain, { key: '' }), 'the key file is empty'],
    ['an empty chain file', handIn(leaf.pem, { key, chain: '\n' }), 'the chain file is empty'],
    [
      'a certificate without its end',
      handIn(key + cut(leaf.pem, 0.7)),
      'the upload is cut off: the block "CERTIFICATE" has no line "END CERTIFICATE"',
    ],
    [
      'a key without its end',
      handIn(leaf.pem + chain, { key: cut(key, 0.6) }),
      'the key file is cut off: the block "PRIVATE KEY" has no line "END PRIVATE KEY"',
    ],
    [
      'a lost character',
      handIn(whole.replace(body.slice(0, 10), body.slice(1, 10))),
      'the upload is damaged: characters of the block "CERTIFICATE" are missing',
    ],
    [
      'a stray character',
      handIn(leaf.pem.replace(body.slice(4, 8), '%*,!'), { key, chain }),
      'the certificate file is damaged: the block "CERTIFICATE" has a character that is not of base64',
    ],
    [
      'a block of nothing',
      handIn(`${block('CERTIFICATE', Buffer.alloc(0))}${key}`),
      'the upload has an empty block "CERTIFICATE"',
    ],
    [
      'line breaks written as \\n',
      handIn(whole.replaceAll('\n', '\\n')),
      'the upload has its line breaks written as \\n; put real ones in their place',
    ],
    [
      'lost dashes',
      handIn(leaf.pem.replaceAll('-----', '----'), { key }),
      'the certificate file has lost dashes of its line "BEGIN": there are five before and five behind',
    ],
    [
      'a mangled first line',
      handIn(leaf.pem.replace('BEGIN CERTIFICATE', 'BEGIN certificate!'), { key }),
      'the certificate file has a mangled line "BEGIN"; copy the file anew',
    ],
    [
      'base64 alone',
      handIn(body, { key }),
      'the certificate file is base64 without its lines "BEGIN" and "END"',
    ],
    [
      'PEM in base64',
      handIn(Buffer.from(whole).toString('base64')),
      'the upload is PEM in base64 once more, as a Kubernetes secret holds it; decode it first',
    ],
    [
      'a web page',
      handIn('<!DOCTYPE html><title>Sign in</title>', { key }),
      'the certificate file is a web page, not a certificate',
    ],
    [
      'JSON',
      handIn(JSON.stringify({ certificate: leaf.pem }), { key }),
      'the certificate file has its line breaks written as \\n; put real ones in their place',
    ],
    [
      'JSON without PEM',
      handIn('{"kty": "EC"}', { key }),
      'the certificate file is JSON; give the PEM that stands in it',
    ],
    [
      'a sentence',
      handIn('See the mail of yesterday. Müller', { key }),
      'the certificate file is neither PEM nor DER nor PKCS #12',
    ],
    [
      'octets of nothing',
      handIn(Buffer.alloc(300), { key }),
      'the certificate file is neither PEM nor DER nor PKCS #12',
    ],
    [
      'a public key of SSH',
      handIn('ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 me@here', { key }),
      'the certificate file is a key of SSH, which has no certificate of the web',
    ],
    [
      'a private key of SSH',
      handIn(leaf.pem, { key: block('OPENSSH PRIVATE KEY'), chain }),
      'the key file is a key of SSH, which has no certificate of the web',
    ],
    [
      'a Java keystore',
      handIn(jks),
      'the upload is a Java keystore; export it as PKCS #12 with keytool -importkeystore',
    ],
    [
      'a ZIP archive',
      handIn(Buffer.from('504b03040000', 'hex')),
      'the upload is a ZIP archive; unpack it first',
    ],
    [
      'something compressed',
      handIn(Buffer.from('1f8b08000000', 'hex')),
      'the upload is compressed with gzip; unpack it first',
    ],
    [
      'a request',
      handIn(block('CERTIFICATE REQUEST'), { key }),
      'the certificate file is a request for a certificate (CSR), not the certificate that the CA made of it',
    ],
    [
      'a public key',
      handIn(leaf.pem, { key: block('PUBLIC KEY'), chain }),
      'the key file is a public key where a certificate or a private key is wanted',
    ],
    [
      'a list of revoked certificates',
      handIn(leaf.pem, { key, chain: block('X509 CRL') }),
      'the chain file is a list of revoked certificates',
    ],
    [
      'a certificate for OpenSSL alone',
      handIn(block('TRUSTED CERTIFICATE'), { key }),
      'the certificate file is a certificate in a form that only OpenSSL reads; write it anew with "openssl x509"',
    ],
    [
      'a key of PGP',
      handIn(leaf.pem, { key: block('PGP PRIVATE KEY BLOCK') }),
      'the key file is a key of PGP',
    ],
    [
      'a DSA key',
      handIn(leaf.pem, { key: block('DSA PRIVATE KEY'), chain }),
      'the key file is a DSA key, which no browser takes',
    ],
    [
      '5 MB',
      handIn(Buffer.alloc(5 * 1024 * 1024, 'A')),
      'it has 5242880 bytes; a certificate with its chain and key has at most 262144',
    ],
    ['sixty blocks', handIn(block('CERTIFICATE').repeat(60)), 'the upload holds more than 50 blocks of PEM'],
    [
      'DER without its end',
      handIn(leaf.der.subarray(0, 300), { key, chain }),
      'the certificate file is cut off: it ends before its DER structure does',
    ],
    [
      'DER with something behind',
      handIn(Buffer.concat([leaf.der, Buffer.from('more')]), { key, chain }),
      'the certificate file has 4 bytes behind the end of its DER structure',
    ],
    [
      'BER',
      handIn(Buffer.concat([Buffer.from([0x30, 0x80]), leaf.der, Buffer.alloc(2)]), { key }),
      'the certificate file is BER of indefinite length; write it anew as DER, as openssl does',
    ],
    [
      'DER of something else',
      handIn(sequence(der(0x0c, Buffer.alloc(200, 'x'))), { key }),
      'the certificate file is damaged: its DER structure is not that of a certificate or a key',
    ],
    [
      'DER within DER that is cut',
      handIn(whole.replace(leaf.pem, block('CERTIFICATE', Buffer.from(leaf.der.subarray(0, 200))))),
      'certificate 1 of it is damaged: it is not an X.509 certificate',
    ],
    [
      'a block with something behind its DER',
      handIn(key + block('CERTIFICATE', Buffer.concat([leaf.der, Buffer.alloc(3)])) + chain),
      'certificate 1 of it has bytes behind its end',
    ],
    [
      'a certificate under the label of a key',
      handIn(leaf.pem + chain, { key: block('PRIVATE KEY', leaf.der) }),
      'the key file holds a private key that cannot be read: it is damaged or of an unknown kind',
    ],
    [
      'a flipped bit',
      handIn(block('CERTIFICATE', flipped) + chain + key),
      "the chain's certificate of Test CA did not issue that of www.example.com: it has the same name and another key",
    ],
  ]);
}
