import { z } from 'zod';
import { AgentError } from '../core/errors.ts';
import type { Group, Host, Instant, NewEvent } from '../core/types.ts';
import { changeWishes, type StoredWish, type WishEdit } from '../core/wishes/reconcile.ts';
import type { CertificateRow } from './certificates.ts';
import { type Caller, defineOperation, type OperationNeeds } from './define.ts';
import { isOwnWork, refuseTakenHost, refuseTwice, runtimeHost } from './domains.ts';
import { domainName, hostName } from './fields.ts';
import { certificateFinder } from './host-certificates.ts';
import { bestFor } from './lineages.ts';
import {
  domainFor,
  noSuchDomain,
  refuseDisabled,
  refuseFileOwned,
  refuseUnknown,
  requireDomainFor,
} from './refusals.ts';

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
    await refuseUnknown(domain, needs);
    const domains = domain === undefined ? (await needs.wishes.domains()).map(({ name }) => name) : [domain];
    const [lists, find] = await Promise.all([
      Promise.all(domains.map((name) => needs.wishes.hosts(name))),
      certificateFinder(domain, needs),
    ]);
    const hosts = lists.flat().map((host): HostRow => ({ ...host, certificate: find(host) }));
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
      await refuseTakenHost(name, { domain: domain.name, caller }, needs);
      byDomain.set(domain.name, [...(byDomain.get(domain.name) ?? []), name]);
    }
    const certificates: string[] = [];
    for (const [domain, hosts] of byDomain) {
      const edit = (stored: StoredWish) => addition(domain, { stored, hosts, caller }, needs);
      const { wanted } = await changeWishes(domain, edit, needs);
      certificates.push(...(await coveringIds(domain, { hosts, wanted }, needs)));
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
  summary:
    'Removes hosts, or names for which "issue" asked together, by the first of them; nothing is ordered for that, and their certificates stay where they are.',
  input: z.strictObject({ names }),
  run: async ({ names }, needs, caller) => {
    refuseTwice(names);
    const byDomain = new Map<string, Removal[]>();
    for (const name of names) {
      const removal = await removalOf(name, needs, caller);
      if (removal === undefined) continue;
      byDomain.set(removal.domain, [...(byDomain.get(removal.domain) ?? []), removal]);
    }
    for (const [domain, removals] of byDomain) {
      const events = removals.map(({ name }) => changed('removed', { name, domain }, caller));
      const removeHosts = removals.flatMap(({ host }) => host ?? []);
      const removeGroups = removals.flatMap(({ group }) => group ?? []);
      await changeWishes(domain, () => ({ removeHosts, removeGroups, events }), needs);
    }
    return { removed: names };
  },
});

interface Removal {
  readonly name: string;
  readonly domain: string;
  readonly host?: Host | undefined;
  readonly group?: Group | undefined;
}

/**
 * The host and the group of that name; of a host that the file owns only the group, which a command made. undefined:
 * the run of this command that was cut off has removed them.
 */
async function removalOf(
  name: string,
  { wishes }: OperationNeeds,
  { isRepeat }: Caller,
): Promise<Removal | undefined> {
  const host = await wishes.host(name);
  const domain = host?.domain ?? (await domainFor([name], { wishes }))?.name;
  const groups = domain === undefined ? [] : await wishes.groups(domain);
  const group = groups.find(({ label }) => label === name);
  const own = host?.origin.kind === 'runtime' ? host : undefined;
  if (domain !== undefined && (own ?? group) !== undefined) return { name, domain, host: own, group };
  if (isRepeat === true) return undefined;
  if (host !== undefined) refuseFileOwned(name, host.origin);
  throw new AgentError('command.notFound', `there is no host ${name}; "hosts list" shows those there are`);
}

/** Looked at again under the domain's lock: another command may have been faster. */
function addition(
  domain: string,
  { stored, hosts, caller }: { stored: StoredWish; hosts: readonly string[]; caller: Caller },
  needs: OperationNeeds,
): WishEdit {
  if (stored.domain === undefined) throw noSuchDomain(domain, []);
  refuseDisabled(stored.domain);
  const there = stored.hosts.filter(({ name }) => hosts.includes(name));
  const taken = there.find((host) => !isOwnWork(host, caller));
  if (taken !== undefined)
    throw new AgentError('command.conflict', `${taken.name} is already a host of ${domain}`);
  // What a client asked for is from now on a host because somebody says so.
  const added = hosts.filter(
    (name) => !there.some((host) => host.name === name && host.onDemand === undefined),
  );
  return {
    putHosts: added.map((name) => runtimeHost(name, domain, needs)),
    events: added.map((name) => changed('added', { name, domain }, caller)),
  };
}

/** Of the lineages wanted for the domain, those that serve one of these hosts. */
async function coveringIds(
  domain: string,
  { hosts, wanted }: { hosts: readonly string[]; wanted: readonly string[] },
  { certificates }: OperationNeeds,
): Promise<readonly string[]> {
  const lineages = (await certificates.lineages(domain)).filter(({ id }) => wanted.includes(id));
  const ids = new Set(hosts.flatMap((host) => bestFor(host, lineages)).map(({ id }) => id));
  return wanted.filter((id) => ids.has(id));
}

function changed(
  change: 'added' | 'removed',
  { name, domain }: { name: string; domain: string },
  { requestedBy }: Caller,
): NewEvent {
  return { type: 'host.changed', domain, facts: { change, host: name, requestedBy } };
}
