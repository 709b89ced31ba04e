import { isIP } from 'node:net';
import type { TlsAlpnConfig } from './config.ts';
import type { Reader } from './reader.ts';
import type { FilePart } from './schema.ts';

/** Reports a listener that cannot work: on the port of the other one, or one that passes connections on to itself. */
export function readTlsAlpn01(
  { tlsAlpn01: part, http01 }: Pick<FilePart, 'tlsAlpn01' | 'http01'>,
  reader: Reader,
): TlsAlpnConfig | undefined {
  if (part === undefined) return undefined;
  const { port, address, forward, proxyProtocol } = part;
  if (port === http01.port)
    reader.report(['tlsAlpn01', 'port'], `http01 has the port ${port} already: choose another one`);
  if (proxyProtocol && !reader.keys(['tlsAlpn01']).includes('forward'))
    reader.report(['tlsAlpn01', 'proxyProtocol'], 'says how to pass connections on: add "forward"');
  if (forward !== undefined) {
    const place = ['tlsAlpn01', 'forward'];
    if (forward.port < 1 || forward.port > 65_535)
      reader.report(place, `there is no port ${forward.port}: ports are 1 to 65535`);
    if (forward.port === port && isSame(forward.host, address))
      reader.report(place, 'is the listener itself: name the port at which your own server listens');
  }
  return { port, address, forward: forward && { ...forward, proxyProtocol } };
}

/** As far as the file shows: whether a connection to the host comes to a listener of this address. */
function isSame(host: string, address: string): boolean {
  const isAll = address === '::' || address === '0.0.0.0';
  const isLocal =
    host === 'localhost' || host === '::' || host === '::1' || /^(127\.|0\.0\.0\.0$)/.test(host);
  return (
    host === address ||
    (isAll && isLocal) ||
    (host === 'localhost' && isIP(address) !== 0 && isLoopback(address))
  );
}

function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.');
}
