import type { IncomingMessage } from 'node:http';
import { isAddress } from '../core/address.ts';
import { isWildcard, parseName, refusal } from '../core/names.ts';

/** What a request on a plain port is for (RFC 9110 §7.1). */
export interface RequestTarget {
  /** A name or IP address, canonical. */
  readonly host: string;
  /** Path and query, in characters that a header takes. */
  readonly path: string;
}

const absoluteForm = /^http:\/\/([^/?#]*)(.*)$/is;
/** What a name or an address is written with there; no user, no encoding, no other script. */
const authority = /^(?:\[([\da-f:.]+)\]|([\da-z.-]+))(?::\d{0,5})?$/i;

/**
 * undefined: it says no host, two, or none that a server could have; or it is for no path, like `OPTIONS *`. A URL in
 * the request line counts before the Host header (RFC 9112 §3.2.2).
 */
export function readRequestTarget({ url = '', headersDistinct }: IncomingMessage): RequestTarget | undefined {
  const hosts = headersDistinct.host ?? [];
  const [, named, rest = ''] = absoluteForm.exec(url) ?? [];
  if (hosts.length > 1) return undefined;
  const host = readHost(named ?? hosts[0] ?? '');
  const path = named === undefined ? url : rest.startsWith('/') ? rest : `/${rest}`;
  return host === undefined || !path.startsWith('/') ? undefined : { host, path: printable(path) };
}

/** As it stands in a URL. */
export function urlHost(host: string): string {
  return isAddress(host) && host.includes(':') ? `[${host}]` : host;
}

function readHost(written: string): string | undefined {
  const [, address, name] = authority.exec(written) ?? [];
  const text = address ?? name;
  if (text === undefined || refusal(text) !== undefined) return undefined;
  const host = parseName(text);
  // Brackets are for IPv6, and for nothing else.
  return isWildcard(host) || host.includes(':') !== (address !== undefined) ? undefined : host;
}

/** Node hands on what the client sent, a character for each byte. */
function printable(path: string): string {
  return path.replace(/[^\x21-\x7e]/g, (char) => `%${Buffer.from(char, 'latin1').toString('hex')}`);
}
