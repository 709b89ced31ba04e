import { isIPv6 } from 'node:net';
import type { LoadedConfig } from '../config/config.ts';
import { type Place, type Purpose, tryPort } from '../edge/listen.ts';
import { port80Purpose } from '../edge/port80.ts';
import { tlsAlpnPurpose } from '../edge/tls-alpn.ts';
import { type CheckItem, items, type Said } from './check-item.ts';

/** Where CAs are answered. `areFree`: no agent runs that would have the ports, so it shows whether one could. */
export async function checkListeners(
  { config: { http01, tlsAlpn01, roles } }: LoadedConfig,
  areFree: boolean,
): Promise<readonly CheckItem[]> {
  if (!roles.includes('edge')) return [];
  const say = (place: Place, purpose: Purpose) => async () => {
    if (areFree) await tryPort(place, purpose);
    return words(place);
  };
  const parts = await Promise.all([
    items('listener http01', say(http01, port80Purpose)),
    tlsAlpn01 === undefined ? [] : items('listener tlsAlpn01', say(tlsAlpn01, tlsAlpnPurpose)),
  ]);
  return parts.flat();
}

function words({ port, address }: Place): Said {
  if (address !== undefined && isIPv6(address) && address !== '::')
    return {
      warning: `port ${port} of ${address}: a CA that comes by IPv4 is not answered`,
      advice: 'Listen on "::", which takes both, unless something passes IPv4 on to it.',
    };
  return `port ${port} of ${address ?? 'all addresses'}`;
}
