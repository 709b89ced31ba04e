import { AgentError } from '../errors.ts';
import { isUnder, isWildcard, sameNames } from '../names.ts';
import { derivePolicies, effectiveMode, keyClassOf, lineageId } from '../policies.ts';
import type { Domain, DomainWish, Group, Host, Instant, KeyType, Policy, Settings } from '../types.ts';
import { resolveDomain } from './domain-wish.ts';
import type { StoredWish, WishEdit } from './lineage-plan.ts';

/** A certificate of another client that is to be managed here. */
export interface Arrival {
  readonly names: readonly string[];
  readonly keyType: KeyType;
  /** Configured issuer that it comes from. */
  readonly issuer: string;
}

/** Where it belongs, and what has to be wished for that it does. */
export interface Place {
  readonly domain: Domain;
  readonly policy: Policy;
  readonly lineage: string;
  /** Of all keys of this policy: nobody may order them meanwhile. */
  readonly lineages: readonly string[];
  readonly edit: WishEdit;
}

interface Around {
  readonly settings: Settings;
  readonly now: Instant;
}

/**
 * The policy that wants exactly these names; where none does, a host or a group is made for it, in a new domain where
 * there is none. Pure. Throws `command.conflict` or `command.invalid` with why it has no place here.
 */
export function placeOf(arrival: Arrival, name: string, stored: StoredWish, around: Around): Place {
  const { settings } = around;
  if (stored.domain?.disabledAt !== undefined)
    throw refusal(`the domain ${name} left the configuration file; put it back there first`);
  const domain = stored.domain ?? newDomain(arrival, name, settings);
  if (!domain.issuers.includes(arrival.issuer))
    throw refusal(
      `the domain ${name} does not use the issuer ${arrival.issuer}: its next renewal would be a new order at once; add the issuer to the domain first`,
    );
  const known = { domain, hosts: stored.hosts, groups: stored.groups };
  const account = settings.dnsAccounts.find((one) => one.name === domain.dnsAccount);
  const base: WishEdit = stored.domain === undefined ? { domain } : {};
  const policies = derivePolicies(known, account);
  const same = policies.find((policy) => sameNames(policy.names, arrival.names));
  if (same !== undefined) return placed(domain, same, base, arrival);
  const host = lonelyHost(arrival, domain, around);
  const isTaken = (label: string) =>
    policies.some((policy) => policy.label === label) || stored.hosts.some((one) => one.name === label);
  if (host !== undefined && !isTaken(host.name)) {
    const [policy] = derivePolicies({ ...known, hosts: [host], groups: [] }, account);
    if (policy !== undefined) return placed(domain, policy, { ...base, putHosts: [host] }, arrival);
  }
  const group = groupFor(arrival, domain, isTaken);
  const [policy] = derivePolicies({ ...known, hosts: [], groups: [group] }, account).filter(
    ({ label }) => label === group.label,
  );
  if (policy === undefined) throw refusal(`the domain ${name} has no place for ${arrival.names.join(', ')}`);
  return placed(domain, policy, { ...base, putGroups: [group] }, arrival);
}

function placed(domain: Domain, policy: Policy, edit: WishEdit, { keyType }: Arrival): Place {
  const classes = domain.keyTypes.map(keyClassOf);
  const own = keyClassOf(keyType);
  const [first = own] = classes;
  return {
    domain,
    policy,
    lineage: lineageId(policy.id, classes.includes(own) ? own : first),
    lineages: classes.map((keyClass) => lineageId(policy.id, keyClass)),
    edit,
  };
}

/** As the defaults of the file say, but so that it wants no other certificate than this one. */
function newDomain({ names, issuer }: Arrival, name: string, settings: Settings): Domain {
  const { issuers } = settings.defaults;
  const said: DomainWish = {
    mode: sameNames(names, [name, `*.${name}`]) ? 'wildcard' : 'individual',
    ...(issuers.includes(issuer) ? {} : { issuers: [issuer, ...issuers] }),
  };
  return resolveDomain(name, said, settings);
}

/** One name of a domain whose hosts have certificates of their own is a host. */
function lonelyHost({ names }: Arrival, domain: Domain, { settings, now }: Around): Host | undefined {
  const [name, ...more] = names;
  const account = settings.dnsAccounts.find((one) => one.name === domain.dnsAccount);
  if (name === undefined || more.length > 0 || isWildcard(name)) return undefined;
  if (effectiveMode(domain, account) !== 'individual') return undefined;
  return { name, domain: domain.name, origin: { kind: 'runtime' }, addedAt: now };
}

/** Labelled by a name that labels nothing else; else the certificate of that label would become another one. */
function groupFor({ names }: Arrival, domain: Domain, isTaken: (label: string) => boolean): Group {
  const label = [...names]
    .sort((a, b) => Number(isWildcard(a)) - Number(isWildcard(b)))
    .find((one) => !isTaken(one));
  if (label === undefined)
    throw refusal(`each of ${names.join(', ')} has another certificate in ${domain.name} already`);
  const stray = names.find((one) => !isUnder(one.replace(/^\*\./, ''), domain.name));
  if (stray !== undefined) throw refusal(`${stray} does not lie under ${domain.name}`);
  return { domain: domain.name, label, names, origin: { kind: 'runtime' } };
}

function refusal(message: string): AgentError {
  return new AgentError('command.conflict', message);
}
