import {
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  randomBytes,
  sign,
  verify,
  X509Certificate,
} from 'node:crypto';
import type { AgentError } from '../../core/errors.ts';
import { refusal } from '../../core/names.ts';
import type { Instant } from '../../core/types.ts';
import type { ParsedCertificate } from '../certificate.ts';
import { isRoot, isSignedBy, skewMs } from '../chain.ts';
import { readDer } from '../der.ts';
import { weakHash } from '../signature.ts';
import type { PrivateKey } from './private-key.ts';
import { refuse } from './refuse.ts';

const serverAuth = '1.3.6.1.5.5.7.3.1';
const anyUse = '2.5.29.37.0';

const rsaBits: readonly number[] = [2048, 3072, 4096];
const curves: readonly string[] = ['prime256v1', 'secp384r1'];
const mostNames = 1000;

/** The one certificate that is not there for its chain. */
export function leafOf(given: readonly ParsedCertificate[], key: PrivateKey): ParsedCertificate {
  const leaves = given.filter((one) => !one.isCa && !given.some((other) => isIssuedBy(other, one)));
  const [leaf, ...others] = leaves;
  if (leaf !== undefined && others.length === 0) return leaf;
  if (leaf !== undefined)
    throw refuse(
      `there are ${leaves.length} server certificates (${leaves.map(titleOf).join('; ')}); upload them one by one, each with its own key`,
    );
  const publicKey = createPublicKey(keyObject(key));
  const own = given.find((one) => isSame(publicKeyOf(one), publicKey));
  if (own !== undefined && isSelfSigned(own)) throw selfSigned();
  throw refuse(
    own === undefined
      ? `only certificates of CAs were given (${given.map(({ subjectName }) => subjectName).join(', ')}); the server's own is missing`
      : `the key is that of the CA ${own.subjectName}; a server needs a certificate of its own`,
  );
}

/** Throws for a certificate that servers must not present, whatever its chain. */
export function checkLeaf(leaf: ParsedCertificate, now: Instant): void {
  if (leaf.isPrecertificate)
    throw refuse(
      'it is a precertificate, which only logs take; take the certificate that your CA issued after it',
    );
  if (isSelfSigned(leaf)) throw selfSigned();
  if (leaf.notAfter <= now) throw refuse(`it expired at ${new Date(leaf.notAfter).toISOString()}`);
  if (leaf.notBefore > now + skewMs)
    throw refuse(`it is not valid before ${new Date(leaf.notBefore).toISOString()}; upload it then`);
  const uses = leaf.extendedKeyUsage;
  if (uses !== undefined && !uses.includes(serverAuth) && !uses.includes(anyUse))
    throw refuse('it is not made for servers: its extended key usage lacks serverAuth');
  if (usableNames(leaf).length === 0)
    throw refuse(
      leaf.names.length === 0
        ? 'it has no names: clients ignore the common name, and there is no subject alternative name'
        : `none of its names can be served: ${leaf.names.slice(0, 3).map(visible).join(', ')}`,
    );
  if (leaf.names.length > mostNames) throw refuse(`it has more than ${mostNames} names`);
  checkKind(leaf);
}

/** Those that a host can have. */
export function usableNames({ names }: ParsedCertificate): readonly string[] {
  return names.filter((name) => refusal(name) === undefined);
}

/** Throws for a signature of a kind that clients refuse. */
export function checkSignature({ signatureAlgorithm, subjectName }: ParsedCertificate): void {
  const weak = weakHash(readDer(signatureAlgorithm));
  if (weak !== undefined)
    throw refuse(`the certificate of ${subjectName} is signed with ${weak}, which no client takes any more`);
}

/** Throws if the key is not that of the certificate. */
export function checkKey(
  leaf: ParsedCertificate,
  key: PrivateKey,
  given: readonly ParsedCertificate[],
): void {
  const privateKey = keyObject(key);
  const publicKey = createPublicKey(privateKey);
  const own = publicKeyOf(leaf);
  if (own === undefined || !isSame(own, publicKey)) {
    const other = given.find((one) => isSame(publicKeyOf(one), publicKey));
    const whose = other === undefined ? '' : `; it is that of ${other.subjectName}`;
    throw refuse(
      `the key is not that of the certificate: the certificate has ${kindOf(own)}, the key is ${kindOf(publicKey)}${whose}`,
    );
  }
  if (!canSign(privateKey, own)) throw refuse('the private key is damaged: what it signs does not verify');
}

function isSelfSigned(one: ParsedCertificate): boolean {
  return isRoot(one) && isSignedBy(one, one);
}

function selfSigned(): AgentError {
  return refuse('it is self-signed, which no client trusts; upload one that a CA issued');
}

function checkKind(leaf: ParsedCertificate): void {
  const key = publicKeyOf(leaf);
  if (key === undefined || !opensWithOpenssl(leaf))
    throw refuse('it cannot be read by OpenSSL, so no server would load it');
  const { modulusLength = 0, namedCurve = '' } = key.asymmetricKeyDetails ?? {};
  const kind = kindOf(key);
  switch (key.asymmetricKeyType) {
    case 'rsa':
      if (modulusLength < 2048) throw refuse(`its key is too weak: ${kind}; at least 2048 bits are wanted`);
      if (!rsaBits.includes(modulusLength)) throw refuse(`its key is ${kind}; take 2048, 3072 or 4096 bits`);
      return;
    case 'ec':
      if (!curves.includes(namedCurve)) throw refuse(`its key is ${kind}; browsers take P-256 and P-384`);
      return;
    default:
      throw refuse(`its key is ${kind}; browsers take RSA, and ECDSA on P-256 or P-384`);
  }
}

/** `RSA of 2048 bits`, `ECDSA on secp521r1`. */
function kindOf(key: KeyObject | undefined): string {
  const { modulusLength, namedCurve } = key?.asymmetricKeyDetails ?? {};
  if (key?.asymmetricKeyType === 'rsa') return `RSA of ${modulusLength} bits`;
  if (key?.asymmetricKeyType === 'ec') return `ECDSA on ${namedCurve ?? 'a curve without a name'}`;
  return key?.asymmetricKeyType ?? 'of an unknown kind';
}

/** Not `equals`: for keys of different kinds that leaves an error behind, on which the next key fails to load. */
function isSame(a: KeyObject | undefined, b: KeyObject): boolean {
  const spki = (key: KeyObject) => key.export({ type: 'spki', format: 'der' });
  return a !== undefined && spki(a).equals(spki(b));
}

function canSign(privateKey: KeyObject, publicKey: KeyObject): boolean {
  try {
    const text = randomBytes(32);
    return verify('sha256', text, publicKey, sign('sha256', text, privateKey));
  } catch {
    return false;
  }
}

function isIssuedBy(one: ParsedCertificate, issuer: ParsedCertificate): boolean {
  return one !== issuer && one.issuer.equals(issuer.subject) && isSignedBy(one, issuer);
}

function publicKeyOf({ spkiDer }: ParsedCertificate): KeyObject | undefined {
  try {
    return createPublicKey({ key: spkiDer, format: 'der', type: 'spki' });
  } catch {
    return undefined;
  }
}

function opensWithOpenssl({ der }: ParsedCertificate): boolean {
  try {
    return new X509Certificate(der).raw.length > 0;
  } catch {
    return false;
  }
}

function keyObject(key: PrivateKey): KeyObject {
  return createPrivateKey({ key: Buffer.from(key.reveal()), format: 'der', type: 'pkcs8' });
}

function titleOf(certificate: ParsedCertificate): string {
  return visible(certificate.names[0] ?? certificate.subjectName);
}

/** Of a stranger, for a message. */
export function visible(text: string): string {
  return text.replace(/[^!-~]/g, '?').slice(0, 80);
}
