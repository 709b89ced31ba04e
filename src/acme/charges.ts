import { createHash } from 'node:crypto';
import type { OrderIntent } from '../core/ports.ts';
import type { BucketTake, CaLimit, CaLimits, HoldName, LimitName } from '../core/types.ts';
import { registeredDomain } from './registered-domain.ts';

const minute = 60_000;
const day = 86_400_000;

/** A CA and our account there, with what it allows. */
export interface LimitedIssuer {
  readonly name: string;
  readonly directoryUrl: string;
  readonly limits: CaLimits;
}

/** What an order takes from one limit, or one hold that it must not meet. */
export interface Charge {
  readonly name: LimitName | HoldName;
  /** Absent: it is a hold. */
  readonly limit?: CaLimit | undefined;
  /** Registered domain, name, or all names; absent: the whole account. */
  readonly about?: string | undefined;
  readonly take: BucketTake;
}

/** So long after the last certificate for exactly these names the next one counts as its renewal. */
const renewalMs = 120 * day;

const limitNames: readonly LimitName[] = [
  'ordersPerAccount',
  'certificatesPerDomain',
  'certificatesPerNames',
  'failuresPerName',
];

/** From our look at the ledger until the CA has counted: a request; an order with its validations. */
const settleMs: Readonly<Record<LimitName, number>> = {
  ordersPerAccount: minute,
  certificatesPerDomain: 60 * minute,
  certificatesPerNames: 60 * minute,
  failuresPerName: 0,
};

/**
 * The limits and holds that an order meets. One that replaces a certificate inside the CA's window meets no limit; a
 * renewal of the same names not those of orders and of certificates for a registered domain. No order is exempt from
 * what the CA says of waiting.
 */
export function chargesOf(issuer: LimitedIssuer, intent: OrderIntent, now: number): readonly Charge[] {
  const { names } = intent;
  const exempt: readonly Charge['name'][] = exemptFrom(intent, now);
  return [...limitsOn(issuer, names).filter(({ name }) => !exempt.includes(name)), ...holdsOn(issuer, names)];
}

export function exemptFrom({ lastIssuedAt, isAdvised }: OrderIntent, now: number): readonly LimitName[] {
  if (isAdvised) return limitNames;
  const isRenewal = lastIssuedAt !== undefined && now - lastIssuedAt < renewalMs;
  return isRenewal ? ['ordersPerAccount', 'certificatesPerDomain'] : [];
}

/** Those of a new order. */
export function limitsOn(issuer: LimitedIssuer, names: readonly string[]): readonly Charge[] {
  return [
    ...charge(issuer, 'ordersPerAccount', [undefined]),
    ...charge(issuer, 'certificatesPerDomain', domainsOf(names)),
    ...charge(issuer, 'certificatesPerNames', [setOf(names)]),
    ...charge(issuer, 'failuresPerName', names),
  ];
}

export function holdsOn(issuer: LimitedIssuer, names: readonly string[]): readonly Charge[] {
  return [
    hold(issuer, 'requests'),
    hold(issuer, 'orders'),
    ...domainsOf(names).map((domain) => hold(issuer, 'ordersUnderDomain', domain)),
    hold(issuer, 'ordersForNames', setOf(names)),
    ...names.map((name) => hold(issuer, 'ordersForName', name)),
  ];
}

export function domainsOf(names: readonly string[]): readonly string[] {
  return [...new Set(names.map(registeredDomain))];
}

/** An exact set of names, in whatever order. */
export function setOf(names: readonly string[]): string {
  return [...names].sort().join(',');
}

/** Certificates are counted by the CA, orders and failures by the account. */
export function charge(
  { name: issuer, directoryUrl, limits }: LimitedIssuer,
  name: LimitName,
  abouts: readonly (string | undefined)[],
): readonly Charge[] {
  const limit = limits[name];
  if (limit === undefined) return [];
  const isGlobal = name === 'certificatesPerDomain' || name === 'certificatesPerNames';
  const whose = isGlobal ? directoryUrl : `${directoryUrl} ${issuer}`;
  const { count, perMs } = limit;
  const isCountedOnly = name === 'failuresPerName';
  return abouts.map((about) => ({
    name,
    limit,
    about,
    take: {
      key: keyOf(`ca/${whose}/${name}`, name === 'certificatesPerNames' ? hash(about) : about),
      capacity: count,
      perSecond: (count * 1000) / perMs,
      cost: isCountedOnly ? 0 : 1,
      least: isCountedOnly ? 1 : undefined,
      settleMs: Math.min(settleMs[name], perMs / count),
    },
  }));
}

/** Full, unless the CA asked to be left alone: then empty until it said. It refills in a day, so urgent orders probe it once a day. */
export function hold({ name: issuer, directoryUrl }: LimitedIssuer, name: HoldName, about?: string): Charge {
  const key = keyOf(
    `ca/${directoryUrl} ${issuer}/hold/${name}`,
    name === 'ordersForNames' ? hash(about) : about,
  );
  return { name, about, take: { key, capacity: 1, perSecond: 1000 / day, cost: 0, least: 1 } };
}

function keyOf(prefix: string, id: string | undefined): string {
  return id === undefined ? prefix : `${prefix}/${id}`;
}

/** Any number of names in a key of one length. */
function hash(text = ''): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 22);
}
