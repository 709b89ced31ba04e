import { isIPv6 } from 'node:net';
import type { Endpoint, LoadedConfig } from '../config/config.ts';
import { type Place, type Purpose, tryPort } from '../edge/listen.ts';
import { metricsPurpose } from '../edge/metrics.ts';
import { port80Purpose } from '../edge/port80.ts';
import { tlsAlpnPurpose } from '../edge/tls-alpn.ts';
import { type CheckItem, items, type Said } from './check-item.ts';

/** Where CAs and monitoring are answered. `areFree`: no agent runs that would have the ports, so it shows whether one could. */
export async function checkListeners(
  { config: { http01, tlsAlpn01, metrics, roles } }: LoadedConfig,
  areFree: boolean,
): Promise<readonly CheckItem[]> {
  const isEdge = roles.includes('edge');
  const say = (place: Place, purpose: Purpose, said: Said) => async () => {
    if (areFree) await tryPort(place, purpose);
    return said;
  };
  const parts = await Promise.all([
    isEdge ? items('listener http01', say(http01, port80Purpose, words(http01))) : [],
    !isEdge || tlsAlpn01 === undefined
      ? []
      : items('listener tlsAlpn01', say(tlsAlpn01, tlsAlpnPurpose, words(tlsAlpn01))),
    metrics === undefined
      ? []
      : items('listener metrics', say(placeOf(metrics), metricsPurpose, placeText(placeOf(metrics)))),
  ]);
  return parts.flat();
}

export function placeOf({ host, port }: Endpoint): Place {
  return { port, address: host };
}

function words({ port, address }: Place): Said {
  if (address !== undefined && isIPv6(address) && address !== '::')
    return {
      warning: `port ${port} of ${address}: a CA that comes by IPv4 is not answered`,
      advice: 'Listen on "::", which takes both, unless something passes IPv4 on to it.',
    };
  return placeText({ port, address });
}

function placeText({ port, address }: Place): string {
  return `port ${port} of ${address ?? 'all addresses'}`;
}
