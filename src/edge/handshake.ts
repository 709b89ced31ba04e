import type { Socket } from 'node:net';
import { createSecureContext, TLSSocket } from 'node:tls';
import type { Ports, TlsAnswer } from '../core/ports.ts';
import { challengeCertificate } from '../x509/alpn.ts';
import { writePem } from '../x509/pem.ts';
import type { FirstBytes } from './first-bytes.ts';

/** What a CA asks for with ALPN (RFC 8737 §6.2). */
export const acmeProtocol = 'acme-tls/1';

/** TLS alerts (RFC 8446 §6.2), as a whole record each. */
const alerts = { unrecognizedName: alert(112), decodeError: alert(50) };

/** `ms`: for the handshake, and for the other side to close. */
type Needs = Pick<Ports, 'clock'> & { readonly ms: number };

/** Shows the certificate of the answer, tells every agent once the CA has seen it, and closes. */
export async function answerHandshake(
  socket: Socket,
  { serverName, identifier, token, keyAuthorization }: TlsAnswer,
  needs: Needs & Pick<Ports, 'tokens' | 'log'>,
): Promise<void> {
  const { tokens, clock, log } = needs;
  const made = await challengeCertificate(identifier, keyAuthorization, clock.now());
  const secureContext = createSecureContext({
    cert: writePem(made.certificateDer),
    key: writePem(made.privateKey.reveal(), 'PRIVATE KEY'),
    minVersion: 'TLSv1.2',
  });
  destroyLater(socket, needs);
  const secured = new TLSSocket(socket, { isServer: true, secureContext, ALPNProtocols: [acmeProtocol] });
  secured.on('error', (error) => log.debug({ serverName, error }, 'tls-alpn-01 handshake failed'));
  secured.once('secure', () => {
    tokens.announceFetched(token);
    log.debug({ serverName }, 'tls-alpn-01 answered');
    secured.end();
  });
  // Half-open as the sockets are, nothing else would end a handshake that the client gave up.
  secured.once('end', () => socket.destroySoon());
  secured.resume();
}

/** Says in TLS that there is nothing for this client; to one that does not speak it, nothing. */
export function refuseHandshake(socket: Socket, { is }: FirstBytes, needs: Needs): void {
  destroyLater(socket, needs);
  socket.resume();
  if (is === 'foreign') socket.end();
  else socket.end(is === 'hello' ? alerts.unrecognizedName : alerts.decodeError);
}

function destroyLater(socket: Socket, { clock, ms }: Needs): void {
  socket.once(
    'close',
    clock.after(ms, () => socket.destroy()),
  );
}

function alert(code: number): Buffer {
  return Buffer.from([21, 3, 3, 0, 2, 2, code]);
}
