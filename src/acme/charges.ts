import { createHash } from 'node:crypto';
import type { OrderIntent } from '../core/ports.ts';
import type { BucketTake, CaLimit, CaLimits, LimitName } from '../core/types.ts';
import { registeredDomain } from './registered-domain.ts';

const minute = 60_000;

/** A CA and our account there, with what it allows. */
export interface LimitedIssuer {
  readonly name: string;
  readonly directoryUrl: string;
  readonly limits: CaLimits;
}

/** What an order takes from one limit. */
export interface Charge {
  readonly name: LimitName;
  readonly limit: CaLimit;
  /** Registered domain, name, or all names; absent: the whole account. */
  readonly about?: string | undefined;
  readonly take: BucketTake;
}

/** So long after the last certificate for exactly these names the next one counts as its renewal. */
const renewalMs = 120 * 86_400_000;

/** From our look at the ledger until the CA has counted: a request; an order with its validations. */
const settleMs: Readonly<Record<LimitName, number>> = {
  ordersPerAccount: minute,
  certificatesPerDomain: 60 * minute,
  certificatesPerNames: 60 * minute,
  failuresPerName: 0,
};

/**
 * The limits that an order meets. One that replaces a certificate inside the CA's window meets none; a renewal of the
 * same names not those of orders and of certificates for a registered domain.
 */
export function chargesOf(issuer: LimitedIssuer, intent: OrderIntent, now: number): readonly Charge[] {
  if (intent.isAdvised) return [];
  const { lastIssuedAt } = intent;
  const isRenewal = lastIssuedAt !== undefined && now - lastIssuedAt < renewalMs;
  return allCharges(issuer, intent.names).filter(
    ({ name }) => !isRenewal || (name !== 'ordersPerAccount' && name !== 'certificatesPerDomain'),
  );
}

/** Those of a new order. */
export function allCharges(issuer: LimitedIssuer, names: readonly string[]): readonly Charge[] {
  return [
    ...charge(issuer, 'ordersPerAccount', [undefined]),
    ...charge(issuer, 'certificatesPerDomain', [...new Set(names.map(registeredDomain))]),
    ...charge(issuer, 'certificatesPerNames', [[...names].sort().join(',')]),
    ...charge(issuer, 'failuresPerName', names),
  ];
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
  return abouts.map((about) => ({
    name,
    limit,
    about,
    take: bucket(`ca/${whose}/${name}`, name, { limit, about }),
  }));
}

function bucket(
  prefix: string,
  name: LimitName,
  { limit: { count, perMs }, about }: Pick<Charge, 'limit' | 'about'>,
): BucketTake {
  const id = name === 'certificatesPerNames' ? hash(about ?? '') : about;
  const isCountedOnly = name === 'failuresPerName';
  return {
    key: id === undefined ? prefix : `${prefix}/${id}`,
    capacity: count,
    perSecond: (count * 1000) / perMs,
    cost: isCountedOnly ? 0 : 1,
    least: isCountedOnly ? 1 : undefined,
    settleMs: Math.min(settleMs[name], perMs / count),
  };
}

/** Any number of names in a key of one length. */
function hash(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 22);
}
