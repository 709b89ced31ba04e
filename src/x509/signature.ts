import { constants, verify } from 'node:crypto';
import { children, type DerNode, readDer, readOid, tag } from './der.ts';
import { publicKeyOfSpki } from './public-key.ts';

/** How something is signed, as far as it is known here. */
export interface SignatureAlgorithm {
  /** null where the key itself says it. */
  readonly hash: string | null;
  /** Octets of salt; of RSASSA-PSS only. */
  readonly saltLength?: number | undefined;
}

const rsassaPss = '1.2.840.113549.1.1.10';
const mgf1 = '1.2.840.113549.1.1.8';

const plain: ReadonlyMap<string, string | null> = new Map([
  ['1.2.840.113549.1.1.11', 'sha256'],
  ['1.2.840.113549.1.1.12', 'sha384'],
  ['1.2.840.113549.1.1.13', 'sha512'],
  ['1.2.840.10045.4.3.2', 'sha256'],
  ['1.2.840.10045.4.3.3', 'sha384'],
  ['1.2.840.10045.4.3.4', 'sha512'],
  ['1.3.101.112', null],
]);

const digests: ReadonlyMap<string, string> = new Map([
  ['2.16.840.1.101.3.4.2.1', 'sha256'],
  ['2.16.840.1.101.3.4.2.2', 'sha384'],
  ['2.16.840.1.101.3.4.2.3', 'sha512'],
]);

/** Ways of signing that nobody takes any more, by the name of the hash. */
const weak: ReadonlyMap<string, string> = new Map([
  ['1.2.840.113549.1.1.2', 'MD2'],
  ['1.2.840.113549.1.1.4', 'MD5'],
  ['1.2.840.113549.1.1.5', 'SHA-1'],
  ['1.3.14.3.2.29', 'SHA-1'],
  ['1.2.840.10040.4.3', 'SHA-1'],
  ['1.2.840.10045.4.1', 'SHA-1'],
]);

/** Why a signature made so counts for nothing, for people: "SHA-1"; undefined: it counts, or is not known here. */
export function weakHash(algorithm: DerNode): string | undefined {
  const [name] = children(algorithm);
  return name && weak.get(readOid(name.body));
}

/** Reads an AlgorithmIdentifier; undefined for one that is not known here, or too weak. */
export function readSignatureAlgorithm(algorithm: DerNode): SignatureAlgorithm | undefined {
  const [name, parameters] = children(algorithm);
  const id = name === undefined ? '' : readOid(name.body);
  if (id === rsassaPss) return parameters === undefined ? undefined : readPss(parameters);
  const hash = plain.get(id);
  return hash === undefined ? undefined : { hash };
}

/** Whether `signature` (a BIT STRING) is one of the key over these bytes. */
export function isSigned(
  { bytes, signature }: { readonly bytes: Uint8Array; readonly signature: DerNode },
  { hash, saltLength }: SignatureAlgorithm,
  spkiDer: Buffer,
): boolean {
  try {
    const key = publicKeyOfSpki(spkiDer);
    const padding = constants.RSA_PKCS1_PSS_PADDING;
    const way = saltLength === undefined ? key : { key, padding, saltLength };
    // A signature is whole octets: no bit of the last one is unused.
    return signature.body[0] === 0 && verify(hash, bytes, way, signature.body.subarray(1));
  } catch {
    // OpenSSL throws for a signature that does not even have the form of one.
    return false;
  }
}

/** RFC 4055 §3.1. What is absent stands for SHA-1, but for the length of the salt; Node masks with the hash it signs with. */
function readPss(parameters: DerNode): SignatureAlgorithm | undefined {
  const fields = new Map(children(parameters).map(({ tag: kind, body }) => [kind, readDer(body)]));
  const [hashed, mask, salt] = [0xa0, 0xa1, 0xa2].map((kind) => fields.get(kind));
  const hash = hashed && digestOf(hashed);
  const [maskName, maskHash] = mask === undefined ? [] : children(mask);
  const isMgf1 = maskName !== undefined && readOid(maskName.body) === mgf1;
  const isUsual = isMgf1 && maskHash !== undefined && digestOf(maskHash) === hash;
  const saltLength = salt === undefined ? 20 : smallNumber(salt);
  return hash === undefined || !isUsual || saltLength === undefined ? undefined : { hash, saltLength };
}

function digestOf(algorithm: DerNode): string | undefined {
  const [name] = children(algorithm);
  return name === undefined ? undefined : digests.get(readOid(name.body));
}

function smallNumber({ tag: kind, body }: DerNode): number | undefined {
  const isShort = kind === tag.integer && body.length > 0 && body.length <= 2;
  return isShort ? body.readIntBE(0, body.length) : undefined;
}
