import { lookup as systemLookup } from 'node:dns/promises';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { createRangeCheck } from '../core/address.ts';
import { AgentError } from '../core/errors.ts';

/**
 * Where a tenant must not make us connect to: this host, private, link-local (with the metadata addresses of the
 * clouds), shared and documentation ranges, multicast, and IPv6 forms that carry an IPv4 address to a relay.
 */
const privateIpv4 = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['168.63.129.16', 32],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const;
const privateIpv6 = [
  ['::', 96],
  ['::ffff:0:0:0', 96],
  ['64:ff9b:1::', 48],
  ['100::', 64],
  ['2001::', 32],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['fc00::', 7],
  ['fe80::', 10],
  ['fec0::', 10],
  ['ff00::', 8],
] as const;

/** Tells whether an address is private (or worse) and not in one of the ranges that are allowed. */
export function createPrivateCheck(allowPrivate: readonly string[]): (address: string) => boolean {
  const refused = new BlockList();
  for (const [network, bits] of privateIpv4) {
    refused.addSubnet(network, bits, 'ipv4');
    refused.addSubnet(`64:ff9b::${network}`, 96 + bits, 'ipv6');
  }
  for (const [network, bits] of privateIpv6) refused.addSubnet(network, bits, 'ipv6');
  const isAllowed = createRangeCheck(allowPrivate);
  return (text) => {
    const address = text.replace(/%.*$/, '');
    return !isAllowed(address) && refused.check(address, isIP(address) === 4 ? 'ipv4' : 'ipv6');
  };
}

/** A connection to an address literal makes no look-up, so the literal is judged here. */
export function refuseLiteral(url: URL, refuses: (address: string) => boolean): void {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (isIP(host) !== 0 && refuses(host)) throw refusal(host, [host]);
}

/** Resolves once for each connection and hands out only addresses that were judged: nothing is resolved after that. */
export function guardedLookup(
  resolve: (host: string) => Promise<readonly string[]>,
  refuses: (address: string) => boolean,
): LookupFunction {
  return (host, lookupOptions, answer) => {
    const judge = (addresses: readonly string[]) => {
      const good = addresses.filter((address) => !refuses(address));
      const [first] = good;
      if (first === undefined) return answer(refusal(host, addresses), []);
      if (!lookupOptions.all) return answer(null, first, isIP(first));
      answer(
        null,
        good.map((address) => ({ address, family: isIP(address) })),
      );
    };
    resolve(host).then(judge, (error) => answer(error, []));
  };
}

function refusal(host: string, addresses: readonly string[]): AgentError {
  if (addresses.length === 0) return new AgentError('net.failed', `${host} has no address`);
  const where = addresses[0] === host ? '' : ` (${addresses.join(', ')})`;
  return new AgentError('net.refused', `${host}${where} is a private or link-local address`);
}

/** All addresses of a host. */
export async function resolveBySystem(host: string): Promise<readonly string[]> {
  return (await systemLookup(host, { all: true })).map(({ address }) => address);
}
