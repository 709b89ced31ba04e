import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls';
import type { Ports } from '../core/ports.ts';
import type { Bundle, Certificate } from '../core/types.ts';
import { writePem } from '../x509/pem.ts';
import { createLru, type LruLimits } from './lru.ts';

/** How a server speaks TLS, but for what it shows. */
export type TlsSettings = Omit<SecureContextOptions, 'cert' | 'key' | 'pfx' | 'passphrase'>;

/** Certificates with their keys, ready for handshakes, by fingerprint: names with the same certificate share a context. */
export interface Contexts {
  /** Counts as a use. */
  ready(fingerprint: string): SecureContext | undefined;
  /** Reads and makes it where it is not. undefined: the store does not hold it any more. */
  of(certificate: Certificate): Promise<SecureContext | undefined>;
  readonly size: number;
  readonly bytes: number;
}

/** What a context takes beside its certificates and keys, as measured on Node 20 and 22. */
const contextBytes = 26 * 1024;
/** OpenSSL keeps certificates as they are and taken apart. */
const copies = 4;

export function createContexts(
  limits: LruLimits,
  tls: TlsSettings,
  { certificates: store }: Pick<Ports, 'certificates'>,
): Contexts {
  const held = createLru<SecureContext>(limits);
  const making = new Map<string, Promise<SecureContext | undefined>>();

  async function make({ lineage, generation, fingerprint }: Certificate): Promise<SecureContext | undefined> {
    const bundle = await store.bundle(lineage, generation);
    // A failover may have lost this generation, and another one has its number now.
    if (bundle?.certificate.fingerprint !== fingerprint) return undefined;
    const context = createSecureContext({ ...tls, ...pemOf(bundle) });
    held.set(fingerprint, context, sizeOf(bundle));
    return context;
  }

  return {
    ready: held.get,
    of: async (certificate) => {
      const { fingerprint } = certificate;
      const ready = held.get(fingerprint);
      if (ready !== undefined) return ready;
      const running = making.get(fingerprint) ?? make(certificate).finally(() => making.delete(fingerprint));
      making.set(fingerprint, running);
      return running;
    },
    get size() {
      return held.size;
    },
    get bytes() {
      return held.weight;
    },
  };
}

function pemOf({ leafDer, chainDer, privateKey }: Bundle): { cert: string; key: string } {
  const cert = [leafDer, ...chainDer].map((one) => writePem(one)).join('');
  return { cert, key: writePem(privateKey.reveal(), 'PRIVATE KEY') };
}

function sizeOf({ leafDer, chainDer, privateKey }: Bundle): number {
  const ders = [leafDer, ...chainDer, privateKey.reveal()];
  return contextBytes + copies * ders.reduce((sum, one) => sum + one.length, 0);
}
