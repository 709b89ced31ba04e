import { createCipheriv, createDecipheriv, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto';
import { AgentError } from '../core/errors.ts';
import { type Secret, secret } from '../core/secret.ts';

/** Seals what must not be readable in Redis, with AES-256-GCM under a key derived from the master key. */
export interface Crypt {
  /** `identity` names the record; what was sealed for one record does not open as another. */
  seal(plain: Secret<Uint8Array>, identity: string): Buffer;
  /** Throws `store.masterKey` when no key of the ring opens it. */
  open(sealed: Uint8Array, identity: string): Secret<Uint8Array>;
  /** The same for bulk data that is secret only as a whole. */
  sealBytes(plain: Uint8Array, identity: string): Buffer;
  openBytes(sealed: Uint8Array, identity: string): Buffer;
  /** Proof that somebody has the current master key; tells nothing about it. */
  readonly keyCheck: string;
  /** Whether `keyCheck` was made with any key of the ring. */
  knows(keyCheck: string): boolean;
}

interface RingKey {
  readonly id: Buffer;
  readonly cipherKey: Secret<Buffer>;
  readonly check: string;
}

const masterKeyBytes = 32;
const format = 1;
const idBytes = 4;
const nonceBytes = 12;
const tagBytes = 16;
const headerBytes = 1 + idBytes + nonceBytes;
const algorithm = 'aes-256-gcm';

/** The first master key seals; all of them open. Each has 32 bytes. Sealed: format, key id, nonce, ciphertext, tag. */
export function createCrypt(masterKeys: readonly Secret<Uint8Array>[]): Crypt {
  const ring = masterKeys.map(toRingKey);
  const current = firstOf(ring);
  /** The key of an order is written with each step of it. */
  const sealed = new WeakMap<Secret<Uint8Array>, { readonly identity: string; readonly bytes: Buffer }>();

  function sealBytes(plain: Uint8Array, identity: string): Buffer {
    const nonce = randomBytes(nonceBytes);
    const cipher = createCipheriv(algorithm, current.cipherKey.reveal(), nonce).setAAD(Buffer.from(identity));
    const text = [cipher.update(plain), cipher.final()];
    return Buffer.concat([Buffer.from([format]), current.id, nonce, ...text, cipher.getAuthTag()]);
  }

  function openBytes(sealed: Uint8Array, identity: string): Buffer {
    const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength);
    const id = bytes.subarray(1, 1 + idBytes);
    const key = ring.find((one) => one.id.equals(id));
    if (key === undefined || bytes[0] !== format || bytes.length < headerBytes + tagBytes)
      throw new AgentError('store.masterKey', `${identity} was sealed with a master key this agent lacks`);
    try {
      const decipher = createDecipheriv(
        algorithm,
        key.cipherKey.reveal(),
        bytes.subarray(1 + idBytes, headerBytes),
      );
      decipher.setAAD(Buffer.from(identity)).setAuthTag(bytes.subarray(-tagBytes));
      return Buffer.concat([decipher.update(bytes.subarray(headerBytes, -tagBytes)), decipher.final()]);
    } catch (cause) {
      throw new AgentError('store.masterKey', `${identity} does not open: it was changed or moved`, {
        cause,
      });
    }
  }

  function seal(plain: Secret<Uint8Array>, identity: string): Buffer {
    const known = sealed.get(plain);
    if (known?.identity === identity) return known.bytes;
    const bytes = sealBytes(plain.reveal(), identity);
    sealed.set(plain, { identity, bytes });
    return bytes;
  }

  return {
    seal,
    open: (sealed, identity) => secret<Uint8Array>(openBytes(sealed, identity)),
    sealBytes,
    openBytes,
    keyCheck: current.check,
    knows: (check) => ring.some((key) => isEqual(key.check, check)),
  };
}

/** Short name of a master key for people who have several, from its check value. */
export function keyName(keyCheck: string): string {
  return keyCheck.slice(0, 8);
}

function firstOf(ring: readonly RingKey[]): RingKey {
  const [first] = ring;
  if (first === undefined) throw new AgentError('store.masterKey', 'no master key was given');
  return first;
}

function toRingKey(master: Secret<Uint8Array>): RingKey {
  const bytes = master.reveal();
  if (bytes.length !== masterKeyBytes)
    throw new AgentError(
      'store.masterKey',
      `the master key has ${bytes.length} bytes instead of ${masterKeyBytes}`,
    );
  const derive = (use: string, length: number) =>
    Buffer.from(hkdfSync('sha256', bytes, '', `acme-agent ${use}`, length));
  return {
    id: derive('key id', idBytes),
    cipherKey: secret(derive('seal', masterKeyBytes)),
    check: derive('check', 16).toString('hex'),
  };
}

function isEqual(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
}
