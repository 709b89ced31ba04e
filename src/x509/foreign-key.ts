import { createPrivateKey, type KeyObject } from 'node:crypto';
import { AgentError } from '../core/errors.ts';
import { type Secret, secret } from '../core/secret.ts';

const pemBlock = /-----BEGIN ([A-Z ]*)PRIVATE KEY-----[\s\S]+?-----END \1PRIVATE KEY-----/;
const curves = ['prime256v1', 'secp384r1'];

/** A private key as other programs write it: PEM of any kind without a password, or a JWK. Throws `command.invalid`. */
export function readForeignKey(text: string): Secret<Uint8Array> {
  const { key, pkcs8 } = parse(text);
  const curve = key.asymmetricKeyDetails?.namedCurve;
  if (key.asymmetricKeyType !== 'rsa' && !(key.asymmetricKeyType === 'ec' && curves.includes(curve ?? '')))
    throw new AgentError('command.invalid', 'the key is neither RSA nor ECDSA P-256 or P-384');
  return pkcs8;
}

/**
 * What the parser says of the bytes of a key is nobody's business. Written out before anything is asked of it: OpenSSL reads
 * damaged keys whose curve Node then cannot tell, and ends the process (`ec != nullptr`); these cannot be written.
 */
function parse(text: string): { readonly key: KeyObject; readonly pkcs8: Secret<Uint8Array> } {
  try {
    const key = text.trimStart().startsWith('{')
      ? createPrivateKey({ key: JSON.parse(text), format: 'jwk' })
      : createPrivateKey(pemBlock.exec(text)?.[0] ?? '');
    return { key, pkcs8: secret<Uint8Array>(key.export({ type: 'pkcs8', format: 'der' })) };
  } catch {
    throw new AgentError('command.invalid', 'the private key is not one that can be read without a password');
  }
}
