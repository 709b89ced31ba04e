import type { Domain, DomainDefaults, DomainMode, DomainWish, KeyType, Settings } from '../types.ts';

const sayable = {
  mode: true,
  issuers: true,
  challenge: true,
  dnsAccount: true,
  keyTypes: true,
  profile: true,
  partial: true,
  reuseKey: true,
  redirect: true,
  deploy: true,
  notify: true,
  contacts: true,
} as const satisfies Record<keyof DomainDefaults, true>;

/** Fields in which a domain may differ from the defaults. */
export const domainFields = Object.keys(sayable) as readonly (keyof DomainDefaults)[];

export const domainModes = [
  'auto',
  'wildcard',
  'individual',
  'custom',
] as const satisfies readonly DomainMode[];
export const keyTypes = [
  'p256',
  'p384',
  'rsa2048',
  'rsa3072',
  'rsa4096',
] as const satisfies readonly KeyType[];

/** Names in one field of a domain that the configuration file has to define. */
export interface Reference {
  readonly field: 'issuers' | 'dnsAccount' | 'deploy' | 'notify';
  /** What such a name stands for, for people. */
  readonly noun: string;
  readonly names: readonly string[];
  readonly defined: readonly string[];
}

export function referencesOf(wish: DomainWish, settings: Settings): readonly Reference[] {
  const { issuers = [], dnsAccount, deploy = [], notify = [] } = wish;
  const accounts = settings.dnsAccounts.map(({ name }) => name);
  const account = dnsAccount === undefined ? [] : [dnsAccount];
  return [
    { field: 'issuers', noun: 'issuer', names: issuers, defined: settings.issuers },
    { field: 'dnsAccount', noun: 'DNS account', names: account, defined: accounts },
    { field: 'deploy', noun: 'deploy target', names: deploy, defined: settings.deployTargets },
    { field: 'notify', noun: 'notifier', names: notify, defined: settings.notifiers },
  ];
}

/**
 * A runtime-owned domain as the file makes it now: what was said, the defaults for the rest, and for references of which
 * nothing is left. Without a default a DNS account stays as it was said, for the orders to say that it is missing.
 */
export function resolveDomain(name: string, said: DomainWish, settings: Settings): Domain {
  const { defaults } = settings;
  const accounts = settings.dnsAccounts.map((account) => account.name);
  const isLost = said.dnsAccount !== undefined && !accounts.includes(said.dnsAccount);
  return {
    name,
    mode: said.mode ?? defaults.mode,
    issuers: leftOf(said.issuers, settings.issuers) ?? defaults.issuers,
    challenge: said.challenge ?? defaults.challenge,
    dnsAccount: isLost ? (defaults.dnsAccount ?? said.dnsAccount) : (said.dnsAccount ?? defaults.dnsAccount),
    keyTypes: said.keyTypes ?? defaults.keyTypes,
    profile: said.profile ?? defaults.profile,
    partial: said.partial ?? defaults.partial,
    reuseKey: said.reuseKey ?? defaults.reuseKey,
    redirect: said.redirect ?? defaults.redirect,
    deploy: leftOf(said.deploy, settings.deployTargets) ?? defaults.deploy,
    notify: leftOf(said.notify, settings.notifiers) ?? defaults.notify,
    contacts: said.contacts ?? defaults.contacts,
    origin: { kind: 'runtime' },
    said,
  };
}

/** All that it has, for a domain that does not tell what was said of it. */
export function saidOf(domain: Domain): DomainWish {
  return domain.said ?? Object.fromEntries(domainFields.map((field) => [field, domain[field]]));
}

/** What a runtime-owned domain names and the file does not define (any more): `deploy target "old"`. */
export function strayReferences(domain: Domain, settings: Settings): readonly string[] {
  if (domain.origin.kind === 'file') return [];
  return referencesOf(saidOf(domain), settings).flatMap(({ noun, names, defined }) =>
    names.filter((name) => !defined.includes(name)).map((name) => `${noun} "${name}"`),
  );
}

/** An empty list was meant; one of which nothing is left was not. */
function leftOf(
  names: readonly string[] | undefined,
  defined: readonly string[],
): readonly string[] | undefined {
  const left = names?.filter((name) => defined.includes(name));
  return left?.length === 0 && names?.length !== 0 ? undefined : left;
}
