import { connect, type NetConnectOpts } from 'node:net';
import { connect as connectTls } from 'node:tls';

export type RedisAddress =
  | { readonly path: string }
  | { readonly port: number; readonly tls?: boolean | undefined };

/** One inline command on a fresh connection; resolves with the start of the raw answer. For probes only. */
export function sendToRedis(address: RedisAddress, command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const target: NetConnectOpts =
      'path' in address ? { path: address.path } : { port: address.port, host: '127.0.0.1' };
    const secure = 'tls' in address && address.tls === true;
    // A probe of our own server on loopback: whose certificate it shows does not matter.
    const socket = secure ? connectTls({ ...target, rejectUnauthorized: false }) : connect(target);
    socket.setTimeout(5_000, () => socket.destroy(new Error('no answer in 5 s')));
    socket.once(secure ? 'secureConnect' : 'connect', () => socket.write(`${command}\r\n`));
    socket.once('data', (data) => {
      socket.destroy();
      resolve(data.toString());
    });
    socket.once('error', reject);
  });
}
