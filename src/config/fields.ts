import { BlockList, isIP } from 'node:net';
import { z } from 'zod';
import { Secret } from '../core/secret.ts';
import { secretText } from '../plugin/fields.ts';

/** What several parts of the configuration file are written with. */

export const text = z.string().min(1);
export const list = z.array(text);
export const port = z.int().min(1).max(65_535);
export const email = z.email();
export const ownAddress = z
  .string()
  .refine(isAddress, 'must be an IP address of this machine, :: for all')
  .default('::');
export const dnsServer = z
  .string()
  .refine(isServer, 'must be like 192.0.2.1, 192.0.2.1:53 or [2001:db8::1]:53');
/** Text that belongs to a secret and may come from where that comes from, though it may be shown. */
export const shown = z
  .union([text, z.instanceof(Secret<string>)])
  .transform((written) => (typeof written === 'string' ? written : written.reveal()));
export const range = z.string().refine(isRange, 'must be a range like 10.0.0.0/8 or fd00::/8');
/** It may hold a password or token. */
export const webUrl = secretText().refine(
  (url) => isWebUrl(url.reveal()),
  'must be a URL: http:// or https://',
);
export const endpoint = z.union([
  z
    .string()
    .regex(/^(\[[^\]]+\]|[^:]+):\d+$/, 'must be host:port or a mapping with host and port')
    .transform((written) => {
      const colon = written.lastIndexOf(':');
      return {
        host: written.slice(0, colon).replace(/^\[|\]$/g, ''),
        port: Number(written.slice(colon + 1)),
      };
    }),
  z.strictObject({ host: text, port }),
]);

const units: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** So many in a length of time. */
export const rate = z
  .strictObject({
    count: z.int().min(1).max(1_000_000_000),
    per: z.string().regex(/^[1-9]\d{0,5}[smhd]$/, 'must be a length of time such as 90s, 30m, 3h or 7d'),
  })
  .transform(({ count, per }) => ({
    count,
    perMs: Number(per.slice(0, -1)) * (units[per.slice(-1)] ?? 0),
  }));

/** Without a password, so for this machine alone. */
export const loopback = endpoint.refine(({ host }) => isLoopback(host), {
  error: 'must be a loopback address with a port, like 127.0.0.1:9464: whoever reaches it can read it',
});

function isWebUrl(written: string): boolean {
  return URL.canParse(written) && /^https?:$/.test(new URL(written).protocol);
}

function isAddress(written: string): boolean {
  return isIP(written) !== 0;
}

function isLoopback(host: string): boolean {
  return host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

function isServer(written: string): boolean {
  const parts = /^\[([^\]]+)\](?::(\d+))?$/.exec(written) ?? /^([^:]+)(?::(\d+))?$/.exec(written);
  const number = Number(parts?.[2] ?? 53);
  return isIP(parts?.[1] ?? written) !== 0 && number > 0 && number < 65_536;
}

function isRange(written: string): boolean {
  const [network = '', bits, ...more] = written.split('/');
  const family = isIP(network);
  const most = family === 4 ? 32 : 128;
  if (family === 0 || more.length > 0 || !/^\d+$/.test(bits ?? String(most))) return false;
  try {
    new BlockList().addSubnet(network, Number(bits ?? most), family === 4 ? 'ipv4' : 'ipv6');
    return true;
  } catch {
    return false;
  }
}
