import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { join } from 'node:path';
import { connect, createSecureContext } from 'node:tls';

export interface HttpsSite {
  readonly port: number;
  close(): Promise<void>;
}

/** A real HTTPS server that takes certificate and key from the folder a `files` target keeps for each name. */
export async function startHttpsSite(folderOf: (servername: string) => string): Promise<HttpsSite> {
  const server = createServer(
    {
      SNICallback: (servername, done) => {
        try {
          // One file holds key and chain, so that no switch can fall between two reads.
          const pem = readFileSync(join(folderOf(servername), 'combined.pem'));
          done(null, createSecureContext({ key: pem, cert: pem }));
        } catch (error) {
          done(error instanceof Error ? error : new Error(String(error)));
        }
      },
    },
    (_, response) => response.end('hello\n'),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const close = () => new Promise<void>((resolve) => server.close(() => resolve()));
  return { port, close };
}

export interface Served {
  /** Serial number, upper-case hex. */
  readonly serial: string;
  /** The client's verdict against the given root; undefined: trusted and right for the name. */
  readonly refusal: string | undefined;
  readonly issuer: string;
  readonly names: string;
}

/** What a strict TLS client sees for a name: chain verified against `rootPem`, name checked. */
export function lookAt(port: number, servername: string, rootPem: string): Promise<Served> {
  return new Promise((resolve, reject) => {
    const socket = connect(
      { host: '127.0.0.1', port, servername, ca: [rootPem], rejectUnauthorized: false },
      () => {
        const peer = socket.getPeerCertificate();
        const refusal = socket.authorized ? undefined : String(socket.authorizationError);
        const issuer = String(peer.issuer?.CN ?? peer.issuer?.O ?? '');
        resolve({ serial: peer.serialNumber, refusal, issuer, names: peer.subjectaltname ?? '' });
        socket.destroy();
      },
    );
    socket.once('error', reject);
  });
}
