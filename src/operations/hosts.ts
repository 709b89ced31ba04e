import { z } from 'zod';
import { AgentError } from '../core/errors.ts';
import { changeWishes, type StoredWish, type WishEdit } from '../core/reconcile.ts';
import type { Host, Instant, NewEvent } from '../core/types.ts';
import { type CertificateRow, overview } from './certificates.ts';
import { type Caller, defineOperation, type OperationNeeds } from './define.ts';
import { refuseTakenHost, refuseTwice, runtimeHost } from './domains.ts';
import { domainName, hostName } from './fields.ts';
import { noSuchDomain, refuseDisabled, refuseFileOwned, requireDomainFor } from './refusals.ts';

const names = z.array(hostName).min(1).max(1000).describe('Host names');

export interface HostRow {
  readonly name: string;
  readonly domain: string;
  readonly origin: Host['origin'];
  readonly addedAt: Instant;
  /** The certificate shown for it: its own before a wildcard, a trusted one before the fallback. */
  readonly certificate?: Pick<CertificateRow, 'id' | 'state' | 'expiresAt' | 'issuer'> | undefined;
}

export interface HostList {
  /** When this was read. */
  readonly asOf: Instant;
  readonly hosts: readonly HostRow[];
}

export const hostsList = defineOperation({
  name: 'hosts.list',
  kind: 'read',
  method: 'GET',
  path: '/hosts',
  scope: 'read',
  summary: 'Lists the hosts and the certificates that serve them.',
  input: z.strictObject({ domain: domainName.optional().describe('Only hosts of this domain') }),
  run: async ({ domain }, needs): Promise<HostList> => {
    const known = await needs.wishes.domains();
    const chosen = known.filter(({ name }) => domain === undefined || name === domain);
    if (domain !== undefined && chosen.length === 0) throw noSuchDomain(domain, known);
    const [lists, certificates] = await Promise.all([
      Promise.all(chosen.map(({ name }) => needs.wishes.hosts(name))),
      overview(domain, needs),
    ]);
    const find = certificateFinder(certificates);
    const hosts = lists.flat().map((host): HostRow => ({ ...host, certificate: find(host.name) }));
    return { asOf: needs.clock.now(), hosts: hosts.toSorted((a, b) => (a.name < b.name ? -1 : 1)) };
  },
});

export const hostsAdd = defineOperation({
  name: 'hosts.add',
  kind: 'write',
  method: 'POST',
  path: '/hosts',
  scope: 'operate',
  summary: 'Adds hosts, each under the longest domain that matches it.',
  input: z.strictObject({ names }),
  run: async ({ names }, needs, caller) => {
    refuseTwice(names);
    const byDomain = new Map<string, string[]>();
    for (const name of names) {
      const domain = await requireDomainFor(name, needs);
      refuseDisabled(domain);
      await refuseTakenHost(name, domain.name, needs);
      byDomain.set(domain.name, [...(byDomain.get(domain.name) ?? []), name]);
    }
    const certificates: string[] = [];
    for (const [domain, hosts] of byDomain) {
      const edit = (stored: StoredWish) => addition(domain, { stored, hosts, caller }, needs);
      certificates.push(...(await changeWishes(domain, edit, needs)).wanted);
    }
    return { added: names, certificates };
  },
});

export const hostsRemove = defineOperation({
  name: 'hosts.remove',
  kind: 'write',
  method: 'DELETE',
  path: '/hosts',
  scope: 'operate',
  summary: 'Removes hosts; nothing is ordered for it, and their certificates stay where they are.',
  input: z.strictObject({ names }),
  run: async ({ names }, needs, caller) => {
    refuseTwice(names);
    const byDomain = new Map<string, Host[]>();
    for (const name of names) {
      const host = await needs.wishes.host(name);
      if (host === undefined)
        throw new AgentError(
          'command.notFound',
          `there is no host ${name}; "hosts list" shows those there are`,
        );
      refuseFileOwned(name, host.origin);
      byDomain.set(host.domain, [...(byDomain.get(host.domain) ?? []), host]);
    }
    for (const [domain, hosts] of byDomain) {
      const events = hosts.map(({ name }) => changed('removed', { name, domain }, caller));
      await changeWishes(domain, () => ({ removeHosts: hosts, events }), needs);
    }
    return { removed: names };
  },
});

/** Looked at again under the domain's lock: another command may have been faster. */
function addition(
  domain: string,
  { stored, hosts, caller }: { stored: StoredWish; hosts: readonly string[]; caller: Caller },
  needs: OperationNeeds,
): WishEdit {
  if (stored.domain === undefined) throw noSuchDomain(domain, []);
  refuseDisabled(stored.domain);
  const taken = stored.hosts.find(({ name }) => hosts.includes(name));
  if (taken !== undefined)
    throw new AgentError('command.conflict', `${taken.name} is already a host of ${domain}`);
  return {
    putHosts: hosts.map((name) => runtimeHost(name, domain, needs)),
    events: hosts.map((name) => changed('added', { name, domain }, caller)),
  };
}

function changed(
  change: 'added' | 'removed',
  { name, domain }: { name: string; domain: string },
  { requestedBy }: Caller,
): NewEvent {
  return { type: 'host.changed', domain, facts: { change, host: name, requestedBy } };
}

function certificateFinder(rows: readonly CertificateRow[]): (host: string) => CertificateRow | undefined {
  const byName = new Map<string, CertificateRow>();
  // Trusted ones come last, so that they win.
  for (const row of rows.toSorted((a, b) => rank(a) - rank(b)))
    for (const name of row.names) byName.set(name, row);
  return (host) => byName.get(host) ?? byName.get(host.replace(/^[^.]+\./, '*.'));
}

function rank({ state, expiresAt }: CertificateRow): number {
  if (expiresAt === undefined) return 0;
  if (state === 'unwanted' || state === 'expired') return 1;
  return state === 'self-signed' ? 2 : 3;
}
