import { isDnsChallenge } from '../challenges.ts';
import { domainOfLineage } from '../policies.ts';
import type { Change } from '../ports.ts';
import type { ChallengeType, Domain, Instant, Issuance, NewEvent, Settings, TxtByHand } from '../types.ts';
import type { Again } from '../wait.ts';

/** An order that cannot go on, maybe for want of records that a person has to add. */
export interface AgainByHand extends Again {
  readonly byHand?: readonly TxtByHand[] | undefined;
}

/** What is not there yet is told anew after this. */
const againMs = 86_400_000;
/** Seconds. What people choose matters little: the CA asks the zone's own servers. */
const ttl = 300;

/** A person adds a TXT record for each order. One for dns-persist-01 stays from order to order. */
export function isProvenByHand(
  { dnsAccount }: Pick<Domain, 'dnsAccount'>,
  challenge: ChallengeType | undefined,
  { dnsAccounts }: Pick<Settings, 'dnsAccounts'>,
): boolean {
  if (challenge === undefined || !isDnsChallenge(challenge) || challenge === 'dns-persist-01') return false;
  return dnsAccounts.find(({ name }) => name === dnsAccount)?.programmable === false;
}

/** As zone files write it, ready to paste. */
export function txtLine({ name, value }: Pick<TxtByHand, 'name' | 'value'>): string {
  return `${name}. ${ttl} IN TXT "${value}"`;
}

export interface Asking {
  readonly issuance: Issuance;
  /** All that are missing. */
  readonly records: readonly TxtByHand[];
  /** Of the certificate that is to be replaced. */
  readonly notAfter: Instant | undefined;
  readonly silencedUntil: Instant | undefined;
  readonly now: Instant;
}

/** Notes what a person has to add, and tells it: at once, and again once a day. undefined: there is nothing new. */
export function asked({
  issuance,
  records,
  notAfter,
  silencedUntil = 0,
  now,
}: Asking): Pick<Change, 'putIssuance' | 'events'> | undefined {
  const before = issuance.byHand;
  const isNew = records.some(({ value }) => !before?.records.some((known) => known.value === value));
  const isTime = before !== undefined && now - before.toldAt >= againMs && now >= silencedUntil;
  if (!isNew && !isTime && records.length === (before?.records.length ?? 0)) return undefined;
  const isTold = isNew || isTime;
  const number = (before?.number ?? 0) + (isTold ? 1 : 0);
  const byHand = { records, toldAt: isTold ? now : (before?.toldAt ?? now), number };
  const next = { ...issuance, byHand };
  return { putIssuance: next, events: isTold ? [wanted(next, records, { notAfter, number })] : [] };
}

/** What a person added is of no use any more. */
export function idleEvents({ lineage, names, wanted, byHand }: Issuance): readonly NewEvent[] {
  if (byHand === undefined || wanted.challenge === 'dns-persist-01') return [];
  const facts = { names, message: 'The order is over, and its TXT records are of no use any more.' };
  return [{ type: 'record.idle', domain: domainOfLineage(lineage), lineage, facts }];
}

function wanted(
  { lineage, names, issuer }: Issuance,
  records: readonly TxtByHand[],
  { notAfter, number }: { readonly notAfter: Instant | undefined; readonly number: number },
): NewEvent {
  const count = records.length === 1 ? 'a TXT record' : `${records.length} TXT records`;
  const again = number === 1 ? '' : ` They have been asked for before; this is message number ${number}.`;
  const facts = {
    names,
    issuer,
    message: `${issuer} wants to see ${count} that a person has to add.${again}`,
    records: records.map(txtLine),
    until: Math.min(...records.map(({ until }) => until)),
    notAfter,
  };
  return { type: 'record.wanted', domain: domainOfLineage(lineage), lineage, facts };
}
