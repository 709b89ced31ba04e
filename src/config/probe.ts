import { isIP } from 'node:net';
import { z } from 'zod';
import type { ServerAddress } from '../core/types.ts';

const mostAddresses = 32;
const like = 'like 192.0.2.1, 192.0.2.1:8443, "[2001:db8::1]:443" or edge.internal';
const hostName = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$/i;

const serverAddress = z
  .string({ error: `must be an address ${like}` })
  .transform((text, context): ServerAddress => {
    const address = parse(text);
    if (address !== undefined) return address;
    context.addIssue({ code: 'custom', message: `must be an address ${like}` });
    return z.NEVER;
  });

/** `probe` of a deploy target: servers that show its certificates. YAML reads `off` as text or as false. */
export const probe = z.preprocess(
  (written) => (written === 'off' || written === false ? [] : written),
  z
    .array(serverAddress, { error: `must be off, or a list of addresses ${like}` })
    .max(mostAddresses, { error: `must not be more than ${mostAddresses} addresses` })
    .default([]),
);

function parse(text: string): ServerAddress | undefined {
  if (isIP(text) !== 0) return { host: text, port: 443 };
  const [, inner, outer = '', port = '443'] = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const isHost = inner === undefined ? isIP(outer) === 4 || isName(outer) : isIP(inner) === 6;
  const number = Number(port);
  return isHost && number > 0 && number < 65_536 ? { host: inner ?? outer, port: number } : undefined;
}

/** What looks like an IP address is one, or a mistake. */
function isName(text: string): boolean {
  return hostName.test(text) && !/^[\d.]+$/.test(text);
}
