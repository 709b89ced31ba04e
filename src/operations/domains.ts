import { z } from 'zod';
import { AgentError } from '../core/errors.ts';
import { derivePolicies } from '../core/policies.ts';
import { changeWishes, type StoredWish, type WishEdit } from '../core/reconcile.ts';
import type { Domain, Group, Host, NewEvent, Policy } from '../core/types.ts';
import { type Caller, defineOperation, type OperationNeeds } from './define.ts';
import { checkDomain } from './domain-rules.ts';
import { configuredName, domainName, hostName } from './fields.ts';
import { isFileOwned, noSuchDomain, refuseFileOwned } from './refusals.ts';
import { counted, listed } from './words.ts';

const challenges = ['http-01', 'dns-01'] as const;
const clearable = ['challenge', 'dnsAccount', 'profile'] as const;

/** What a command may say about a domain; absent: the default at `add`, unchanged at `set`. */
const settable = {
  mode: z
    .enum(['auto', 'wildcard', 'individual', 'custom'])
    .optional()
    .describe('Which certificates: one wildcard, one for each host, only named groups, or what fits (auto)'),
  issuers: z.array(configuredName).min(1).optional().describe('Configured issuers, the preferred one first'),
  challenge: z.enum(challenges).optional().describe('How the CA checks the names'),
  dnsAccount: configuredName.optional().describe('Configured DNS account that holds the zone'),
  keyTypes: z
    .array(z.enum(['p256', 'p384', 'rsa2048', 'rsa3072', 'rsa4096']))
    .min(1)
    .optional()
    .describe('Key types; one elliptic and one RSA for two certificates'),
  profile: configuredName.optional().describe('Certificate profile of the CA'),
  profileRequired: z.boolean().optional().describe('Refuse a CA that does not have the profile'),
  deploy: z.array(configuredName).optional().describe('Configured deploy targets'),
  notify: z.array(configuredName).optional().describe('Configured notifiers'),
  contacts: z.array(z.email()).optional().describe('E-mail addresses of those who answer for the domain'),
};

const name = domainName.describe('The domain');

interface DomainWish {
  readonly mode?: Domain['mode'] | undefined;
  readonly issuers?: readonly string[] | undefined;
  readonly challenge?: Domain['challenge'];
  readonly dnsAccount?: string | undefined;
  readonly keyTypes?: Domain['keyTypes'] | undefined;
  readonly profile?: string | undefined;
  readonly profileRequired?: boolean | undefined;
  readonly deploy?: readonly string[] | undefined;
  readonly notify?: readonly string[] | undefined;
  readonly contacts?: readonly string[] | undefined;
}

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
    const domain = await needs.wishes.domain(input.name);
    if (domain === undefined) throw noSuchDomain(input.name, await needs.wishes.domains());
    const [hosts, groups] = await Promise.all([
      needs.wishes.hosts(domain.name),
      needs.wishes.groups(domain.name),
    ]);
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
  summary: 'Adds a domain; what is not said comes from the defaults of the configuration file.',
  input: z.strictObject({
    name,
    ...settable,
    hosts: z.array(hostName).max(1000).optional().describe('Its first hosts'),
  }),
  run: async (input, needs, caller) => {
    const { name, hosts: names = [], ...wish } = input;
    refuseTwice(names);
    for (const host of names) await refuseTakenHost(host, name, needs);
    const edit = ({ domain: stored }: StoredWish): WishEdit => {
      if (stored !== undefined && isFileOwned(stored)) refuseFileOwned(name, stored.origin);
      if (stored !== undefined && stored.disabledAt === undefined)
        throw new AgentError('command.conflict', `${name} is there already; change it with "domains set"`);
      const { defaults } = needs.settings();
      const domain = withWish({ name, ...defaults, origin: { kind: 'runtime' } }, wish);
      checkDomain(domain, needs.settings());
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
      .array(z.enum(clearable))
      .optional()
      .describe('Fields to go back to their default: challenge, dnsAccount, profile'),
  }),
  run: async ({ name, unset = [], ...wish }, needs, caller) => {
    const known = await needs.wishes.domains();
    const edit = ({ domain: stored }: StoredWish): WishEdit => {
      if (stored === undefined) throw noSuchDomain(name, known);
      refuseFileOwned(name, stored.origin);
      const cleared = Object.fromEntries(unset.map((field) => [field, undefined]));
      const domain = withWish({ ...stored, ...cleared }, wish);
      checkDomain(domain, needs.settings());
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
    force: z.boolean().optional().describe('Also while it has hosts; they go with it'),
  }),
  run: async ({ name, force = false }, needs, caller) => {
    const known = await needs.wishes.domains();
    const edit = ({ domain, hosts, groups }: StoredWish): WishEdit => {
      if (domain === undefined) throw noSuchDomain(name, known);
      if (isFileOwned(domain)) refuseFileOwned(name, domain.origin);
      const names = [...hosts.map((host) => host.name), ...groups.map(({ label }) => label)];
      if (names.length > 0 && !force)
        throw new AgentError(
          'command.conflict',
          `${name} has ${counted(names.length, 'host')} (${listed(names)}); remove them first, or use force`,
        );
      return {
        removeDomain: true,
        removeHosts: hosts,
        events: [changed('removed', domain, { hosts: hosts.map((host) => host.name) }, caller)],
      };
    };
    await changeWishes(name, edit, needs);
    return { removed: name };
  },
});

/** A host that a command adds. */
export function runtimeHost(name: string, domain: string, { clock }: Pick<OperationNeeds, 'clock'>): Host {
  return { name, domain, origin: { kind: 'runtime' }, addedAt: clock.now() };
}

export function refuseTwice(names: readonly string[]): void {
  const twice = names.find((name, index) => names.indexOf(name) < index);
  if (twice !== undefined) throw new AgentError('command.invalid', `${twice} is given twice; give it once`);
}

/** Throws `command.conflict` if the name is a host already, of this domain or of another. */
export async function refuseTakenHost(
  name: string,
  domain: string,
  { wishes }: Pick<OperationNeeds, 'wishes'>,
): Promise<void> {
  const host = await wishes.host(name);
  if (host === undefined) return;
  refuseFileOwned(name, host.origin);
  const there = host.domain === domain ? '' : `; remove it there first`;
  throw new AgentError('command.conflict', `${name} is already a host of ${host.domain}${there}`);
}

function withWish(domain: Domain, wish: DomainWish): Domain {
  const { profile, profileRequired, ...fields } = wish;
  const said = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
  const profileName = profile ?? domain.profile?.name;
  if (profileName === undefined && profileRequired !== undefined)
    throw new AgentError('command.invalid', 'profileRequired: name the profile as well');
  const required = profileRequired ?? domain.profile?.required ?? false;
  return {
    ...domain,
    ...said,
    profile: profileName === undefined ? undefined : { name: profileName, required },
  };
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
