import { children, type DerNode, readDer, tag } from '../der.ts';
import type { Opening } from './pbes2.ts';
import { blocksOf, octetsOf, type PemBlock, textOf } from './pem-text.ts';
import { isPkcs7, readPkcs7 } from './pkcs7.ts';
import { isPkcs12, readPkcs12 } from './pkcs12.ts';
import { keyOfBlock, keyOfDer, keyOfPkcs8, type PrivateKey } from './private-key.ts';
import { readOr, refuse } from './refuse.ts';

/** What one file holds. */
export interface Material {
  /** DER, not yet looked into. */
  readonly certificates: readonly Buffer[];
  readonly keys: readonly PrivateKey[];
}

const certificateLabels = new Set(['CERTIFICATE', 'X509 CERTIFICATE']);

const strangers: Readonly<Record<string, string>> = {
  'CERTIFICATE REQUEST': 'a request for a certificate (CSR), not the certificate that the CA made of it',
  'NEW CERTIFICATE REQUEST': 'a request for a certificate (CSR), not the certificate that the CA made of it',
  'PUBLIC KEY': 'a public key where a certificate or a private key is wanted',
  'RSA PUBLIC KEY': 'a public key where a certificate or a private key is wanted',
  'X509 CRL': 'a list of revoked certificates',
  'TRUSTED CERTIFICATE': 'a certificate in a form that only OpenSSL reads; write it anew with "openssl x509"',
  'PGP PRIVATE KEY BLOCK': 'a key of PGP',
  'PGP PUBLIC KEY BLOCK': 'a key of PGP',
  'DSA PRIVATE KEY': 'a DSA key, which no browser takes',
};

/** Certificates and keys of one file in PEM, DER, PKCS #7 or PKCS #12. Throws `command.invalid` with what it is instead. */
export function readMaterial(bytes: Uint8Array, opening: Opening): Material {
  const { what } = opening;
  if (bytes.length === 0) throw refuse(`${what} is empty`);
  if (isBinary(bytes)) return readBinary(bytes, opening);
  const text = textOf(bytes);
  if (text === undefined) throw refuse(`${what} ${whatBinary(bytes)}`);
  return joined(blocksOf(text, what).map((block) => readBlock(block, opening)));
}

export function joined(parts: readonly Material[]): Material {
  return {
    certificates: parts.flatMap(({ certificates }) => certificates),
    keys: parts.flatMap(({ keys }) => keys),
  };
}

function readBlock(block: PemBlock, opening: Opening): Material {
  const { label } = block;
  const { what } = opening;
  if (certificateLabels.has(label)) return { certificates: [octetsOf(block, what)], keys: [] };
  if (label === 'PKCS7' || label === 'CMS') return readBinary(octetsOf(block, what), opening);
  const key = readOr(`${what} holds a private key that is damaged`, () => keyOfBlock(block, opening));
  if (key !== undefined) return { certificates: [], keys: [key] };
  const stranger = strangers[label];
  if (stranger !== undefined) throw refuse(`${what} is ${stranger}`);
  // Parameters of curves and groups stand beside keys.
  return { certificates: [], keys: [] };
}

/** A SEQUENCE whose length takes more than one octet, which no text begins with; or that has just the octets that follow. */
function isBinary(bytes: Uint8Array): boolean {
  const [kind, length = 0] = bytes;
  return kind === tag.sequence && (length >= 0x80 || length === bytes.length - 2);
}

function readBinary(bytes: Uint8Array, opening: Opening): Material {
  const { what } = opening;
  if (bytes[1] === 0x80)
    throw refuse(`${what} is BER of indefinite length; write it anew as DER, as openssl does`);
  const node = readOr(`${what} is cut off: it ends before its DER structure does`, () => readDer(bytes));
  if (node.whole.length < bytes.length)
    throw refuse(`${what} has ${bytes.length - node.whole.length} bytes behind the end of its DER structure`);
  return readOr(`${what} is damaged: its DER structure is not that of a certificate or a key`, () =>
    readStructure(node, opening),
  );
}

function readStructure(node: DerNode, opening: Opening): Material {
  if (isPkcs12(node)) {
    const { certificates, keys } = readPkcs12(node, opening);
    return { certificates, keys: keys.map((key) => keyOfPkcs8(key, 'the PKCS #12 file')) };
  }
  if (isPkcs7(node)) return { certificates: readPkcs7(node), keys: [] };
  const [first, second] = children(node);
  if (first?.tag === tag.sequence && second?.tag === tag.sequence)
    return { certificates: [node.whole], keys: [] };
  const key = keyOfDer(node, opening);
  if (key === undefined) throw new RangeError('of no known kind');
  return { certificates: [], keys: [key] };
}

function whatBinary(bytes: Uint8Array): string {
  const magic = Buffer.from(bytes.subarray(0, 4)).toString('hex');
  if (magic === 'feedfeed' || magic === 'cececece')
    return 'is a Java keystore; export it as PKCS #12 with keytool -importkeystore';
  if (magic.startsWith('504b')) return 'is a ZIP archive; unpack it first';
  if (magic.startsWith('1f8b')) return 'is compressed with gzip; unpack it first';
  return 'is neither PEM nor DER nor PKCS #12';
}
