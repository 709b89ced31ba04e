import { createHash } from 'node:crypto';
import type { Settings } from '../core/types.ts';
import type { Config, DeployTargetConfig, DnsAccountConfig, FileDomain, IssuerConfig } from './config.ts';

/**
 * SHA-256 (hex) over what all agents on one store must agree on; not over what is a machine's own (folders, ports,
 * proxies, roles, resolvers, log) nor where in the file something stands. Secrets enter as hashes of their own kind.
 */
export function hashShared(config: Config, settings: Settings, domains: readonly FileDomain[]): string {
  const shared = {
    issuers: config.issuers.map(({ proxyUrl: _, ...issuer }) => issuer),
    dnsAccounts: config.dnsAccounts.map(pluggedFacts),
    deployTargets: config.deployTargets.map(pluggedFacts),
    notifiers: config.notifiers.map(pluggedFacts),
    renewal: settings.renewalCeilingMs,
    retention: settings.retentionMs,
    defaults: settings.defaults,
    experimental: settings.experimental,
    permission: settings.permissionMs,
    fetchesIssuers: settings.fetchesIssuers,
    onDemand: settings.onDemand,
    hostPermission: config.hostPermission,
    domains: domains.map(({ domain: { origin: _, ...domain }, hosts }) => ({
      ...domain,
      hosts: hosts.map(({ name }) => name).sort(),
    })),
  };
  return sha256(JSON.stringify(canonical(shared)));
}

/** Another text when what an issuer asks of its CA and account is another: directory, account, trust. */
export function markOf({ directoryUrl, email, eab, trustPem, ...issuer }: IssuerConfig): string {
  const replaces = issuer.replaceDeactivatedAccount || undefined;
  return sha256(JSON.stringify(canonical({ directoryUrl, email, eab, trustPem, replaces }))).slice(0, 16);
}

/** Another text when a target is another place or served another way, a DNS account another one or with other credentials. */
export function markOfPlugged(plugged: DeployTargetConfig | DnsAccountConfig): string {
  const { probe: _, ...place } = { probe: undefined, ...plugged };
  return sha256(JSON.stringify(canonical(pluggedFacts(place)))).slice(0, 16);
}

function pluggedFacts<T extends { readonly definition: { readonly name: string } }>({
  definition,
  ...rest
}: T) {
  return { ...rest, definition: definition.name };
}

/** The same data always as the same JSON: keys sorted, secrets hashed, the rest as text. */
function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical);
  if (typeof value !== 'object' || value === null) return typeof value === 'function' ? undefined : value;
  // Of any copy of the class: a plugin may have its own.
  if ('reveal' in value && typeof value.reveal === 'function')
    return sha256(`acme-agent shared configuration secret\0${String(value.reveal())}`);
  if (value instanceof Map || value instanceof Set) return canonical([...value]);
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, entry]) => [key, canonical(entry)]));
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
