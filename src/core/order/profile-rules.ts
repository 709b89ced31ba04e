import { isAddress } from '../address.ts';
import { AgentError } from '../errors.ts';
import type { Domain, Settings } from '../types.ts';
import { isProvenByHand } from './by-hand.ts';

/** What a certificate of one profile may hold. */
interface ProfileRule {
  readonly names: number;
  /** Also IP addresses. */
  readonly addresses: boolean;
  /** How long the CA waits for a name to be proven. */
  readonly pendingMs: number;
}

interface CaRules {
  /** Profile of orders that name none. */
  readonly usual: string;
  readonly profiles: Readonly<Record<string, ProfileRule>>;
}

const hour = 3_600_000;
/** People do not look into their mail every hour. */
const leastForPeopleMs = 24 * hour;

const letsEncrypt: CaRules = {
  usual: 'classic',
  profiles: {
    classic: { names: 100, addresses: false, pendingMs: 7 * 24 * hour },
    tlsserver: { names: 25, addresses: false, pendingMs: hour },
    shortlived: { names: 25, addresses: true, pendingMs: hour },
  },
};

/** By directory URL. Of other CAs we know nothing and let them say. */
const known: Readonly<Record<string, CaRules>> = {
  'https://acme-v02.api.letsencrypt.org/directory': letsEncrypt,
  'https://acme-staging-v02.api.letsencrypt.org/directory': letsEncrypt,
};

export interface PlannedOrder {
  readonly names: readonly string[];
  readonly issuer: string;
  readonly directoryUrl: string | undefined;
  /** undefined: that which the CA takes for orders that name none. */
  readonly profile: string | undefined;
  /** A person adds what proves the names. */
  readonly isByHand?: boolean | undefined;
}

/** Why the CA would not issue these names in one certificate of this profile, and what to do; undefined: nothing is known against it. */
export function profileRefusal(order: PlannedOrder): string | undefined {
  const { names, issuer, directoryUrl, profile, isByHand } = order;
  const ca = known[directoryUrl ?? ''];
  if (ca === undefined) return undefined;
  const chosen = profile ?? ca.usual;
  const rule = Object.hasOwn(ca.profiles, chosen) ? ca.profiles[chosen] : undefined;
  if (rule === undefined) return undefined;
  const address = names.find(isAddress);
  const isPatient = ({ pendingMs }: ProfileRule) => !isByHand || pendingMs >= leastForPeopleMs;
  const fits = (one: ProfileRule) =>
    names.length <= one.names && (address === undefined || one.addresses) && isPatient(one);
  const others = Object.entries(ca.profiles).flatMap(([name, one]) => (fits(one) ? [name] : []));
  if (address !== undefined && !rule.addresses)
    return `${issuer} issues for IP addresses such as ${address} only with the profile ${withAddresses(ca)}: set that one, or use another issuer`;
  if (!isPatient(rule))
    return `with the profile ${chosen} ${issuer} waits only ${rule.pendingMs / hour} h for a TXT record, too short for a person to add it: ${others.length === 0 ? '' : `set the profile ${others.join(' or ')}, or `}name a DNS account that the agent can write to`;
  if (names.length <= rule.names) return undefined;
  const larger = others.length === 0 ? '' : `, or set the profile ${others.join(' or ')}`;
  return `${issuer} puts at most ${rule.names} names on a certificate of the profile ${chosen}, not ${names.length}: ask for several certificates${larger}`;
}

/** As `profileRefusal`, for the preferred issuer of a domain as the file has it now. */
export function plannedRefusal(
  names: readonly string[],
  {
    issuers,
    profile,
    challenge,
    dnsAccount,
  }: Pick<Domain, 'issuers' | 'profile' | 'challenge' | 'dnsAccount'>,
  { issuerFacts, dnsAccounts }: Pick<Settings, 'issuerFacts' | 'dnsAccounts'>,
): string | undefined {
  const [issuer = ''] = issuers;
  const facts = issuerFacts?.[issuer];
  const planned = profile ?? facts?.usualProfile;
  const isByHand = isProvenByHand({ dnsAccount }, challenge, { dnsAccounts });
  const { directoryUrl } = facts ?? {};
  return profileRefusal({ names, issuer, directoryUrl, profile: planned?.name, isByHand });
}

/** Throws `order.profile` for an order that the CA would refuse. */
export function checkProfile(order: PlannedOrder): void {
  const reason = profileRefusal(order);
  if (reason !== undefined) throw new AgentError('order.profile', reason);
}

function withAddresses({ profiles }: CaRules): string {
  return Object.entries(profiles)
    .flatMap(([name, { addresses }]) => (addresses ? [name] : []))
    .join(' or ');
}
