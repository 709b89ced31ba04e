import { isAddress } from '../address.ts';
import { covers, isWildcard, parseName, refusal } from '../names.ts';

const label = /^(?!-)[a-z0-9-]{1,63}(?<!-)$/;
const endpoint = /^([^:]*):([^:]*)$/;

/** True for an endpoint of the platform; what else is bound is a server name, or stands for several. */
export function isEndpoint(name: string): boolean {
  return name.includes(':');
}

/** Why nothing can be bound to `text`; undefined: it can. */
export function bindingRefusal(text: string): string | undefined {
  const trimmed = text.trim();
  const [, service, port] = endpoint.exec(trimmed) ?? [];
  if (service !== undefined && port !== undefined) return endpointRefusal(service, port);
  if (trimmed === '*') return undefined;
  const stars = [...trimmed].filter((character) => character === '*').length;
  if (stars > 1) return 'only one * may be in it';
  if (stars === 1 && !trimmed.startsWith('*.') && !trimmed.endsWith('.*'))
    return 'a * must be the whole first or the whole last label';
  const plain = trimmed.endsWith('.*') ? `${trimmed.slice(0, -1)}test` : trimmed;
  if (isAddress(plain)) return 'an IP address is no server name (RFC 6066): add it as a host instead';
  return refusal(plain);
}

/** In its one written form. */
export function parseBindingName(text: string): string {
  const trimmed = text.trim().toLowerCase();
  if (trimmed === '*' || isEndpoint(trimmed)) return trimmed.replace(/:0*(?=\d)/, ':');
  return trimmed.endsWith('.*')
    ? parseName(`${trimmed.slice(0, -1)}test`).replace(/test$/, '*')
    : parseName(trimmed);
}

/** Whether clients that ask for the name accept a certificate with these names. Nobody asks for an endpoint by name. */
export function isBoundWell(name: string, names: readonly string[]): boolean {
  return isEndpoint(name) || names.some((held) => covers(held, name));
}

/** What a binding under this name takes, where no certificate can cover all of it. */
export function reachOf(name: string): string | undefined {
  if (name === '*')
    return 'every name that has no binding of its own, also those with certificates of their own';
  if (name.endsWith('.*')) return `every name of ${name.slice(0, -2)} and one more label`;
  return isWildcard(name) ? `every name one label below ${name.slice(2)}` : undefined;
}

function endpointRefusal(service: string, port: string): string | undefined {
  if (service.includes('.'))
    return 'a server name has no port; an endpoint is service:port, with a service of one label';
  if (!label.test(service.toLowerCase())) return 'an endpoint is service:port, with a service of one label';
  if (!/^\d{1,5}$/.test(port)) return 'the port must be numeric';
  return Number(port) >= 1 && Number(port) <= 65_535 ? undefined : 'a port is 1 to 65535';
}
