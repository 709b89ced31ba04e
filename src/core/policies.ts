import { addressRefusal, isAddress } from './address.ts';
import { isDnsChallenge } from './challenges.ts';
import { AgentError } from './errors.ts';
import { isWildcard, parentOf } from './names.ts';
import type {
  ChallengeType,
  DnsAccountFacts,
  Domain,
  Group,
  Host,
  KeyClass,
  KeyType,
  Lineage,
  LineageId,
  Policy,
  Settings,
  WantedSpec,
} from './types.ts';

export interface Wish {
  readonly domain: Domain;
  readonly hosts: readonly Host[];
  readonly groups: readonly Group[];
}

/** What certificates a domain needs. Pure; the same wish always gives the same policies in the same order. */
export function derivePolicies(wish: Wish, account: DnsAccountFacts | undefined): readonly Policy[] {
  const { domain } = wish;
  if (domain.disabledAt !== undefined) return [];
  const groups = wish.groups.map(({ label, names }): Label => [label, names]);
  const labels = joined([...ownLabels(wish, effectiveMode(domain, account)), ...groups]);
  return labels.map(([label, names]) => toPolicy(domain, label, names, account));
}

/** Those of the mode; a host that labels a group has its certificate there. */
function ownLabels(
  { domain, hosts, groups }: Wish,
  mode: ReturnType<typeof effectiveMode>,
): readonly Label[] {
  if (mode === 'custom') return [];
  const own = hosts.filter(({ name }) => !groups.some(({ label }) => label === name));
  return mode === 'wildcard'
    ? wildcardLabels(domain.name, own)
    : own.map(({ name }): Label => [name, [name]]);
}

/** A label is one certificate: where a group and the mode ask for the same one, it has the names of both. */
function joined(labels: readonly Label[]): readonly Label[] {
  const byLabel = new Map<string, readonly string[]>();
  for (const [label, names] of labels)
    byLabel.set(label, [...new Set([...(byLabel.get(label) ?? []), ...names])]);
  return [...byLabel];
}

/** `auto` is wildcard where we can write the zone (host names then stay out of CT logs), else one certificate a host. */
export function effectiveMode(
  domain: Domain,
  account: DnsAccountFacts | undefined,
): 'wildcard' | 'individual' | 'custom' {
  if (isAddress(domain.name)) return domain.mode === 'custom' ? 'custom' : 'individual';
  if (domain.mode !== 'auto') return domain.mode;
  const dns = domain.challenge === undefined || isDnsChallenge(domain.challenge);
  return dns && canWrite(domain, account) ? 'wildcard' : 'individual';
}

/** A DNS account that left the file does not change which certificates there are; their orders say what is missing. */
function canWrite(domain: Domain, account: DnsAccountFacts | undefined): boolean {
  return account?.programmable ?? domain.dnsAccount !== undefined;
}

export function keyClassOf(keyType: KeyType): KeyClass {
  return keyType.startsWith('rsa') ? 'rsa' : 'ec';
}

/** Whether there is a lineage for each kind of key. */
export function isDual(keyTypes: readonly KeyType[]): boolean {
  return new Set(keyTypes.map(keyClassOf)).size > 1;
}

export function lineageId(policy: string, keyClass: KeyClass): string {
  return `${policy}/${keyClass}`;
}

/** The domain that a lineage of ours is kept for. */
export function domainOfLineage(lineage: LineageId): string {
  return lineage.split('/', 1)[0] ?? lineage;
}

export function fallbackId(policy: string): string {
  return `${policy}/fallback`;
}

/** Where a lineage goes at a deploy target; the same for its fallback. */
export function slotOf(lineage: Lineage): {
  lineage: string;
  domain: string;
  label: string;
  keyClass: KeyClass;
} {
  return {
    lineage: lineage.id,
    domain: lineage.domain,
    label: lineage.label,
    keyClass: keyClassOf(lineage.wanted.keyType),
  };
}

export function wantedOf(
  policy: Policy,
  keyType: KeyType,
  { domain, settings }: { readonly domain: Domain; readonly settings: Settings },
): WantedSpec {
  const { issuers } = domain;
  return {
    names: policy.names,
    keyType,
    issuers,
    directories:
      settings.issuerFacts && issuers.map((name) => settings.issuerFacts?.[name]?.directoryUrl ?? ''),
    challenge: policy.challenge,
    profile: domain.profile,
  };
}

type Label = readonly [label: string, names: readonly string[]];

function wildcardLabels(domain: string, hosts: readonly Host[]): readonly Label[] {
  const parents = new Set<string>();
  for (const host of hosts) {
    const parent = parentOf(host.name);
    if (host.name !== domain && parent !== undefined && parent !== domain) parents.add(parent);
  }
  const deeper = [...parents].sort().map((parent): Label => [`*.${parent}`, [`*.${parent}`]]);
  return [[`*.${domain}`, [domain, `*.${domain}`]], ...deeper];
}

function toPolicy(
  domain: Domain,
  label: string,
  names: readonly string[],
  account: DnsAccountFacts | undefined,
): Policy {
  return {
    id: `${domain.name}/${label}`,
    domain: domain.name,
    label,
    names,
    challenge: challengeOf(domain, names, account),
  };
}

function challengeOf(
  domain: Domain,
  names: readonly string[],
  account: DnsAccountFacts | undefined,
): ChallengeType {
  const refusal = addressRefusal(domain);
  if (refusal !== undefined) throw new AgentError('command.invalid', refusal.message);
  if (isAddress(domain.name)) return domain.challenge ?? 'http-01';
  const challenge = domain.challenge ?? (canWrite(domain, account) ? 'dns-01' : 'http-01');
  const wildcard = names.find(isWildcard);
  if (wildcard !== undefined && !isDnsChallenge(challenge))
    throw new AgentError(
      'command.invalid',
      `${wildcard} needs dns-01, but ${domain.name} uses ${challenge}: give the domain a DNS account`,
    );
  return challenge;
}
