import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:tls';

export interface HandshakeOptions {
  readonly port: number;
  readonly servername: string;
  /** Kind of certificate that the client takes; default: any. */
  readonly keyClass?: 'ec' | 'rsa' | undefined;
}

const algorithms = {
  ec: 'ECDSA+SHA256:ECDSA+SHA384',
  rsa: 'RSA-PSS+SHA256:RSA+SHA256',
};

/**
 * What a server shows for a name. The server signs the handshake with its key, so one whose key is of another certificate
 * does not get through.
 */
export async function handshake(options: HandshakeOptions): Promise<X509Certificate> {
  const { port, servername, keyClass } = options;
  const socket = connect({
    host: '127.0.0.1',
    port,
    servername,
    rejectUnauthorized: false,
    ...(keyClass !== undefined && { sigalgs: algorithms[keyClass] }),
  });
  try {
    await once(socket, 'secureConnect');
    const der = socket.getPeerCertificate().raw;
    return new X509Certificate(der);
  } finally {
    socket.destroy();
  }
}

export function fingerprintOf(certificate: X509Certificate): string {
  return certificate.fingerprint256.replaceAll(':', '').toLowerCase();
}
