import { addressBytes } from '../core/address.ts';

/** The two ends of a connection, as a socket of the listener has them. */
export interface Ends {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
}

const signature = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
const version2 = 0x20;
const command = { local: 0, proxy: 1 } as const;
const tcpOver = { ipv4: 0x11, ipv6: 0x21 } as const;

/** The header of the PROXY protocol, version 2, that tells a server behind us who its client is. */
export function proxyHeader({ remoteAddress, remotePort, localAddress, localPort }: Ends): Buffer {
  const ends = [remoteAddress, localAddress].filter((address) => address !== undefined);
  const addresses = ends.map((address) => addressBytes(plain(address)));
  const size = addresses[0]?.length;
  // Without its addresses (it is gone already) the connection counts as one of our own.
  if (size === undefined || size !== addresses[1]?.length)
    return Buffer.concat([signature, Buffer.from([version2 | command.local, 0, 0, 0])]);
  const ports = Buffer.alloc(4);
  ports.writeUInt16BE(remotePort ?? 0, 0);
  ports.writeUInt16BE(localPort ?? 0, 2);
  const body = Buffer.concat([...addresses, ports]);
  const family = size === 4 ? tcpOver.ipv4 : tcpOver.ipv6;
  return Buffer.concat([signature, Buffer.from([version2 | command.proxy, family, 0, body.length]), body]);
}

/** A listener for both families shows IPv4 as `::ffff:192.0.2.7`, and link-local addresses with their interface. */
function plain(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '');
}
