import { createPrivateKey, type KeyObject } from 'node:crypto';
import { AgentError } from '../core/errors.ts';
import { type Secret, secret } from '../core/secret.ts';

const pemBlock = /-----BEGIN ([A-Z ]*)PRIVATE KEY-----[\s\S]+?-----END \1PRIVATE KEY-----/;
const curves = ['prime256v1', 'secp384r1'];

/** A private key as other programs write it: PEM of any kind without a password, or a JWK. Throws `command.invalid`. */
export function readForeignKey(text: string): Secret<Uint8Array> {
  const key = parse(text);
  const curve = key.asymmetricKeyDetails?.namedCurve;
  if (key.asymmetricKeyType !== 'rsa' && !(key.asymmetricKeyType === 'ec' && curves.includes(curve ?? '')))
    throw new AgentError('command.invalid', 'the key is neither RSA nor ECDSA P-256 or P-384');
  return secret<Uint8Array>(key.export({ type: 'pkcs8', format: 'der' }));
}

/** What the parser says of the bytes of a key is nobody's business. */
function parse(text: string): KeyObject {
  try {
    if (text.trimStart().startsWith('{')) return createPrivateKey({ key: JSON.parse(text), format: 'jwk' });
    return createPrivateKey(pemBlock.exec(text)?.[0] ?? '');
  } catch {
    throw new AgentError('command.invalid', 'the private key is not one that can be read without a password');
  }
}
