import { connect, isIP } from 'node:net';
import { type ConnectionOptions, connect as connectTls, type DetailedPeerCertificate } from 'node:tls';
import type { KeyClass, ServerAddress } from '../core/types.ts';

export interface Handshake {
  /** `host` is an IP address. */
  readonly at: ServerAddress;
  readonly name: string;
  readonly keyClass: KeyClass | undefined;
}

/** RFC 8446 §4.2.3. The algorithms of PKCS #1 sign chains only, where RSA keys are not taken: the ciphers see to it. */
const offers: Readonly<Record<KeyClass, Pick<ConnectionOptions, 'sigalgs' | 'ciphers'>>> = {
  ec: {
    sigalgs:
      'ecdsa_secp256r1_sha256:ecdsa_secp384r1_sha384:ecdsa_secp521r1_sha512:rsa_pkcs1_sha256:rsa_pkcs1_sha384:rsa_pkcs1_sha512',
    ciphers:
      'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305',
  },
  rsa: {
    sigalgs:
      'rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:rsa_pss_rsae_sha512:rsa_pkcs1_sha256:rsa_pkcs1_sha384:rsa_pkcs1_sha512',
    ciphers:
      'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-CHACHA20-POLY1305',
  },
};

/**
 * DER of the certificates that a server shows, leaf first. The client knows no certificate at all, so what it ends up with
 * is what was shown: Node completes chains from the roots it trusts. Rejects with the error of the socket.
 */
export function shownCertificates(
  { at, name, keyClass }: Handshake,
  signal: AbortSignal,
): Promise<readonly Uint8Array[]> {
  const options: ConnectionOptions = {
    ca: [],
    rejectUnauthorized: false,
    ...(isIP(name) === 0 && { servername: name }),
    ...(keyClass && offers[keyClass]),
  };
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const plain = connect(at);
    const settle = (outcome: () => void) => {
      signal.removeEventListener('abort', abort);
      plain.destroy();
      outcome();
    };
    const fail = (error: unknown) => settle(() => reject(error));
    const abort = () => fail(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    plain.on('error', fail);
    plain.on('connect', () => {
      const socket = connectTls({ ...options, socket: plain });
      socket.on('error', fail);
      socket.on('close', () => fail(new Error('the connection was closed')));
      socket.on('secureConnect', () => {
        const shown = linked(socket.getPeerCertificate(true));
        settle(() => resolve(shown));
      });
    });
  });
}

function linked(leaf: Partial<DetailedPeerCertificate>): readonly Uint8Array[] {
  const shown: Uint8Array[] = [];
  const seen = new Set<unknown>();
  let next: Partial<DetailedPeerCertificate> | undefined = leaf;
  while (next?.raw !== undefined && !seen.has(next)) {
    seen.add(next);
    shown.push(next.raw);
    next = next.issuerCertificate;
  }
  return shown;
}
