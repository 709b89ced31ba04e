import { isIP } from 'node:net';
import { z } from 'zod';
import { AgentError } from '../src/core/errors.ts';
import type { PluginContext } from '../src/plugin/context.ts';

/** A DNS server as the operator wrote it. */
export interface ServerAddress {
  readonly host: string;
  readonly port: number;
}

/** `host`, `host:port` or `[IPv6]:port`. */
export const serverAddress = z.string().transform((text, issues): ServerAddress => {
  const match = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(text);
  const host = match?.[1] ?? match?.[2] ?? (isIP(text) === 6 ? text : undefined);
  const port = Number(match?.[3] ?? 53);
  if (host !== undefined && port > 0 && port < 65_536) return { host, port };
  issues.addIssue({ code: 'custom', message: 'must be host, host:port or [IPv6]:port' });
  return z.NEVER;
});

/** Asked anew at each call: servers move, and an agent runs for years. */
export async function resolveServer(
  { host, port }: ServerAddress,
  context: Pick<PluginContext, 'resolver'>,
  signal: AbortSignal,
): Promise<{ readonly address: string; readonly port: number }> {
  if (isIP(host) !== 0) return { address: host, port };
  const [address] = await context.resolver.addresses(host, signal);
  if (address !== undefined) return { address, port };
  throw new AgentError('provider.unavailable', `the DNS server ${host} has no address; check its name`);
}
