import { z } from 'zod';
import { boundUnder, unbindAll } from '../core/bindings/under.ts';
import { AgentError } from '../core/errors.ts';
import { dnsJournalChore } from '../core/order/permanent-records.ts';
import { derivePolicies } from '../core/policies.ts';
import type { Domain, Group, Host, NewEvent, Policy } from '../core/types.ts';
import { domainFields, saidOf } from '../core/wishes/domain-wish.ts';
import { changeWishes, readWish, type StoredWish, type WishEdit } from '../core/wishes/reconcile.ts';
import { type Caller, defineOperation, type OperationNeeds } from './define.ts';
import { domainName, hostName } from './fields.ts';
import { isFileOwned, noSuchDomain, refuseDisabled, refuseFileOwned } from './refusals.ts';
import { settable, toDomain } from './said.ts';
import { counted, listed } from './words.ts';

const name = domainName.describe('The domain');

export const domainsList = defineOperation({
  name: 'domains.list',
  kind: 'read',
  method: 'GET',
  path: '/domains',
  scope: 'read',
  summary: 'Lists the domains.',
  input: z.strictObject({}),
  run: async (_, needs): Promise<{ readonly domains: readonly Domain[] }> => ({
    domains: (await needs.wishes.domains()).toSorted((a, b) => compare(a.name, b.name)),
  }),
});

export interface DomainShown {
  readonly domain: Domain;
  readonly hosts: readonly Host[];
  readonly groups: readonly Group[];
  /** The certificates that these make. */
  readonly policies: readonly Policy[];
}

export const domainsShow = defineOperation({
  name: 'domains.show',
  kind: 'read',
  method: 'GET',
  path: '/domains/{name}',
  scope: 'read',
  summary: 'Shows a domain with its hosts and the certificates it needs.',
  input: z.strictObject({ name }),
  run: async (input, needs): Promise<DomainShown> => {
    const { domain, hosts, groups } = await readWish(input.name, needs);
    if (domain === undefined) throw noSuchDomain(input.name, await needs.wishes.domains());
    const account = needs.settings().dnsAccounts.find((one) => one.name === domain.dnsAccount);
    return { domain, hosts, groups, policies: derivePolicies({ domain, hosts, groups }, account) };
  },
});

export const domainsAdd = defineOperation({
  name: 'domains.add',
  kind: 'write',
  method: 'POST',
  path: '/domains',
  scope: 'operate',
  summary: 'Adds a domain; what is not said follows the defaults of the configuration file.',
  input: z.strictObject({
    name,
    ...settable,
    hosts: z.array(hostName).max(1000).optional().describe('Its first hosts'),
  }),
  run: async (input, needs, caller) => {
    const { name, hosts: names = [], ...wish } = input;
    refuseTwice(names);
    for (const host of names) await refuseTakenHost(host, { domain: name, caller }, needs);
    const edit = ({ domain: stored }: StoredWish): WishEdit => {
      if (stored !== undefined && isFileOwned(stored)) refuseFileOwned(name, stored.origin);
      const domain = toDomain(name, { before: {}, said: wish }, needs);
      if (stored !== undefined && stored.disabledAt === undefined) {
        if (caller.isRepeat === true && isSaidAlike(stored, domain)) return {};
        throw new AgentError('command.conflict', `${name} is there already; change it with "domains set"`);
      }
      const hosts = names.map((host) => runtimeHost(host, name, needs));
      return { domain, putHosts: hosts, events: [changed('added', domain, { hosts: names }, caller)] };
    };
    const { wanted } = await changeWishes(name, edit, needs);
    return { domain: name, certificates: wanted };
  },
});

export const domainsSet = defineOperation({
  name: 'domains.set',
  kind: 'write',
  method: 'PATCH',
  path: '/domains/{name}',
  scope: 'operate',
  summary: 'Changes a domain; what is not said stays as it is.',
  input: z.strictObject({
    name,
    ...settable,
    unset: z
      .array(z.enum(domainFields))
      .optional()
      .describe('Fields that follow the defaults of the configuration file again'),
  }),
  run: async ({ name, unset = [], ...wish }, needs, caller) => {
    if (unset.length === 0 && Object.values(wish).every((value) => value === undefined))
      throw new AgentError(
        'command.invalid',
        `nothing to change of ${name} was said; name a field to set or unset`,
      );
    const known = await needs.wishes.domains();
    const edit = ({ domain: stored }: StoredWish): WishEdit => {
      if (stored === undefined) throw noSuchDomain(name, known);
      refuseDisabled(stored);
      refuseFileOwned(name, stored.origin);
      const kept = Object.entries(saidOf(stored)).filter(([field]) => !unset.some((one) => one === field));
      const domain = toDomain(name, { before: Object.fromEntries(kept), said: wish }, needs);
      const fields = [...Object.keys(wish), ...unset];
      return { domain, events: [changed('changed', domain, { fields }, caller)] };
    };
    const { wanted } = await changeWishes(name, edit, needs);
    return { domain: name, certificates: wanted };
  },
});

export const domainsRemove = defineOperation({
  name: 'domains.remove',
  kind: 'write',
  method: 'DELETE',
  path: '/domains/{name}',
  scope: 'operate',
  summary: 'Removes a domain; its certificates stay where they are and are no longer renewed.',
  input: z.strictObject({
    name,
    force: z.boolean().optional().describe('Also while it is in use; its hosts and bindings go with it'),
  }),
  run: async ({ name, force = false }, needs, caller) => {
    const known = await needs.wishes.domains();
    const [certified, ordering, bindings] = await Promise.all([
      certifiedLabels(name, needs),
      openOrders(name, needs),
      boundUnder(name, needs),
    ]);
    const bound = bindings.map((binding) => binding.name);
    const edit = ({ domain, hosts, groups }: StoredWish): WishEdit => {
      if (domain === undefined && caller.isRepeat === true) return {};
      if (domain === undefined) throw noSuchDomain(name, known);
      if (isFileOwned(domain)) refuseFileOwned(name, domain.origin);
      const issued = groups.map(({ label }) => label).filter((label) => certified.has(label));
      if (!force) refuseInUse(name, { hosts: hosts.map((host) => host.name), issued, ordering, bound });
      return {
        removeDomain: true,
        removeHosts: hosts,
        events: [changed('removed', domain, { hosts: hosts.map((host) => host.name) }, caller)],
      };
    };
    await changeWishes(name, edit, needs);
    await unbindAll(bindings, { domain: name, requestedBy: caller.requestedBy }, needs);
    // TXT records that stay from order to order go with their domain.
    await needs.jobs.wake('upkeep', [dnsJournalChore]);
    return { removed: name };
  },
});

/** Labels of the domain's certificates that are valid: what `issue` asked for is in use from then on. */
async function certifiedLabels(
  domain: string,
  { certificates, clock }: Pick<OperationNeeds, 'certificates' | 'clock'>,
): Promise<ReadonlySet<string>> {
  const lineages = (await certificates.lineages(domain)).filter(({ source }) => source === 'acme');
  const currents = await certificates.currents(lineages.map(({ id }) => id));
  const isValid = (_: unknown, index: number) => (currents[index]?.notAfter ?? 0) > clock.now();
  return new Set(lineages.filter(isValid).map(({ label }) => label));
}

/** Lineages of the domain for which an order is under way. */
async function openOrders(
  domain: string,
  { certificates, issuances }: Pick<OperationNeeds, 'certificates' | 'issuances'>,
): Promise<readonly string[]> {
  const [lineages, open] = await Promise.all([certificates.lineages(domain), issuances.all()]);
  return lineages.map(({ id }) => id).filter((id) => open.includes(id));
}

interface Uses {
  readonly hosts: readonly string[];
  /** First names of what `issue` asked for. */
  readonly issued: readonly string[];
  readonly ordering: readonly string[];
  /** Names that something is bound to. */
  readonly bound: readonly string[];
}

function refuseInUse(domain: string, { hosts, issued, ordering, bound }: Uses): void {
  const uses = [
    ...(hosts.length === 0 ? [] : [`${counted(hosts.length, 'host')} (${listed(hosts)})`]),
    ...(issued.length === 0
      ? []
      : [`${counted(issued.length, 'certificate')} asked for with "issue" (${listed(issued)})`]),
    ...(ordering.length === 0
      ? []
      : [`${counted(ordering.length, 'order')} under way (${listed(ordering)})`]),
    ...(bound.length === 0 ? [] : [`${counted(bound.length, 'binding')} (${listed(bound)})`]),
  ];
  if (uses.length === 0) return;
  const remedies = [
    ...(hosts.length + issued.length === 0 ? [] : ['remove them first with "hosts remove"']),
    ...(ordering.length === 0 ? [] : ['wait until the orders are done']),
    ...(bound.length === 0 ? [] : ['unbind the names']),
  ];
  throw new AgentError(
    'command.conflict',
    `${domain} has ${uses.join(' and ')}; ${remedies.join(' and ')}, or use force`,
  );
}

/** A host that a command adds. */
export function runtimeHost(name: string, domain: string, { clock }: Pick<OperationNeeds, 'clock'>): Host {
  return { name, domain, origin: { kind: 'runtime' }, addedAt: clock.now() };
}

export function refuseTwice(names: readonly string[]): void {
  const twice = names.find((name, index) => names.indexOf(name) < index);
  if (twice !== undefined) throw new AgentError('command.invalid', `${twice} is given twice; give it once`);
}

/** The run of this command that was cut off has added it, or somebody else just as it asks for; or a client asked for it. */
export function isOwnWork({ origin, onDemand }: Host, { isRepeat }: Caller): boolean {
  return (isRepeat === true && origin.kind === 'runtime') || onDemand !== undefined;
}

/** Throws `command.conflict` if the name is a host already, of this domain or of another. */
export async function refuseTakenHost(
  name: string,
  { domain, caller }: { readonly domain: string; readonly caller: Caller },
  { wishes }: Pick<OperationNeeds, 'wishes'>,
): Promise<void> {
  const host = await wishes.host(name);
  if (host === undefined || (host.domain === domain && isOwnWork(host, caller))) return;
  refuseFileOwned(name, host.origin);
  const there = host.domain === domain ? '' : `; remove it there first`;
  throw new AgentError('command.conflict', `${name} is already a host of ${host.domain}${there}`);
}

function isSaidAlike(a: Domain, b: Domain): boolean {
  return JSON.stringify(a.said) === JSON.stringify(b.said);
}

function changed(
  change: 'added' | 'changed' | 'removed',
  domain: Domain,
  facts: Readonly<Record<string, unknown>>,
  { requestedBy }: Caller,
): NewEvent {
  return { type: 'domain.changed', domain: domain.name, facts: { change, ...facts, requestedBy } };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
