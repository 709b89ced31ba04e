import type { Admission, BucketLevel, Budget, LimitLevel, OrderIntent, Ports } from '../core/ports.ts';
import { limitText } from '../core/renewal/limit-words.ts';
import type { BucketTake, Instant, LimitName } from '../core/types.ts';
import {
  type Charge,
  charge,
  chargesOf,
  exemptFrom,
  hold,
  holdsOn,
  type LimitedIssuer,
  limitsOn,
} from './charges.ts';
import { outlooks } from './outlook.ts';
import { type RefusedLimit, refusedLimit } from './refused-limit.ts';

export type BudgetNeeds = Pick<Ports, 'buckets' | 'clock' | 'log'>;

const chunk = 200;
/** What a CA asks for is believed up to this, where no limit of it says otherwise. */
const longestHoldMs = 7 * 86_400_000;

/**
 * The ledger of the CAs' rate limits, shared by all agents on the store. It takes what an order will cost before the
 * order is made, so that the CA never has less than we think; what the CA says corrects it.
 */
export function createBudget(issuers: readonly LimitedIssuer[], needs: BudgetNeeds): Budget {
  const { buckets, clock } = needs;

  function at(name: string, chargesAt: (issuer: LimitedIssuer) => readonly Charge[]): readonly Charge[] {
    return issuers.filter((issuer) => issuer.name === name).flatMap(chargesAt);
  }

  function chargesFor(intent: OrderIntent): readonly Charge[] {
    return at(intent.issuer, (issuer) => chargesOf(issuer, intent, clock.now()));
  }

  return {
    admit: (intent) => {
      const exempt = exemptFrom(intent, clock.now());
      return admit({ charges: chargesFor(intent), exempt, urgent: intent.urgent }, needs);
    },
    giveBack: (spent) => buckets.giveBack(spent, clock.now()),
    async spendAgain(spent) {
      const now = clock.now();
      const takes = spent.map((take) => ({ ...take, takenAt: now }));
      return (await buckets.take(takes, now)).taken ? takes : undefined;
    },
    async validationFailed(name, names) {
      const failures = at(name, (issuer) => charge(issuer, 'failuresPerName', names));
      const takes = failures.map(({ take }) => ({ ...take, cost: 1, mayOwe: true }));
      await buckets.take(takes, clock.now());
    },
    async learn({ issuer: name, exempt = [], ...about }, error) {
      const refused = refusedLimit(error, about);
      if (refused === undefined) return;
      const of = at(name, (issuer) => refusing(issuer, refused, exempt));
      await drain(of, { issuer: name, until: refused.until }, needs);
    },
    async endHolds(name, names) {
      const holds = at(name, (issuer) => holdsOn(issuer, names));
      await buckets.fill(takesOf(holds), clock.now());
    },
    async hold(name, isUnderWay) {
      const holds = at(name, (issuer) => [
        hold(issuer, 'requests'),
        ...(isUnderWay ? [] : [hold(issuer, 'orders')]),
      ]);
      return last(await levelsOf(holds, needs));
    },
    levels(name, orders) {
      const all = at(name, (issuer) => [
        ...charge(issuer, 'ordersPerAccount', [undefined]),
        ...orders.flatMap((names) => limitsOn(issuer, names)),
        ...[[], ...orders].flatMap((names) => holdsOn(issuer, names)),
      ]);
      return levelsOf([...new Map(all.map((one) => [one.take.key, one])).values()], needs);
    },
    async foresee(intents) {
      const orders = intents.map(chargesFor);
      const charges = [...new Map(orders.flat().map((one) => [one.take.key, one])).values()];
      const levels = await readAll(charges, needs);
      const byKey = new Map(charges.map(({ take }, index) => [take.key, levels[index]]));
      return outlooks(orders, byKey, clock.now());
    },
  };
}

function takesOf(charges: readonly Charge[]): readonly BucketTake[] {
  return charges.map(({ take }) => take);
}

async function admit(
  {
    charges,
    exempt,
    urgent,
  }: {
    readonly charges: readonly Charge[];
    readonly exempt: readonly LimitName[];
    readonly urgent: boolean;
  },
  { buckets, clock }: BudgetNeeds,
): Promise<Admission> {
  const now = clock.now();
  const takes = takesOf(charges);
  const { taken, readyAt, lacking } = await buckets.take(takes, now);
  const admitted = { admitted: true as const, exempt, ...refundable(charges, now) };
  if (taken) return { ...admitted, isProbe: false };
  const [worst] = lacking;
  const inTheWay = charges.find(({ take }) => take.key === worst?.key);
  const limit = inTheWay === undefined ? '' : textOf(inTheWay);
  if (!urgent) return { admitted: false, readyAt, limit };
  const probe = await buckets.take(probing(takes, lacking), now);
  return probe.taken
    ? { ...admitted, isProbe: true }
    : { admitted: false, readyAt: Math.min(readyAt, probe.readyAt), limit };
}

/** Sent though there is no room: once per refill of each bucket in the way, which then owes what it gave. */
function probing(takes: readonly BucketTake[], lacking: readonly BucketTake[]): readonly BucketTake[] {
  const short = new Set(lacking.map(({ key }) => key));
  const probes = lacking.map(({ key, perSecond }) => ({
    key: `${key}/probe`,
    capacity: 1,
    perSecond,
    cost: 1,
  }));
  return [...takes.map((take) => ({ ...take, mayOwe: short.has(take.key) })), ...probes];
}

/** An order counts once it is made; a certificate only when it is issued. */
function refundable(
  charges: readonly Charge[],
  takenAt: Instant,
): Pick<Admission & { readonly admitted: true }, 'spent' | 'spentOnOrder'> {
  const of = (...names: readonly Charge['name'][]) =>
    charges.filter(({ name }) => names.includes(name)).map(({ take }) => ({ ...take, takenAt }));
  return { spent: of('certificatesPerDomain', 'certificatesPerNames'), spentOnOrder: of('ordersPerAccount') };
}

/**
 * Of a limit that we keep no numbers of there is nothing to drain; one that we took the order to be exempt from is drained
 * in vain, for the next one would be too.
 */
function refusing(
  issuer: LimitedIssuer,
  { limit, hold: name, about }: RefusedLimit,
  exempt: readonly LimitName[],
): readonly Charge[] {
  const known = limit === undefined ? [] : charge(issuer, limit, [about]);
  const isMet = known.length > 0 && known.every((one) => !exempt.some((other) => other === one.name));
  return isMet ? known : [...known, hold(issuer, name, about)];
}

async function drain(
  charges: readonly Charge[],
  { issuer, until }: { readonly issuer: string; readonly until: Instant },
  { buckets, clock, log }: BudgetNeeds,
): Promise<void> {
  const now = clock.now();
  for (const one of charges) {
    // No bucket takes longer to refill than its period, whatever is said of it.
    await buckets.drain([one.take], Math.min(until, now + (one.limit?.perMs ?? longestHoldMs)), now);
    log.info({ issuer, limit: textOf(one), until }, 'the CA named a limit; the ledger follows it');
  }
}

function textOf({ name, about, limit }: Charge): string {
  return limitText({ name, about, ...limit });
}

/** A hold that is over is none. */
async function levelsOf(charges: readonly Charge[], needs: BudgetNeeds): Promise<readonly LimitLevel[]> {
  const levels = await readAll(charges, needs);
  const none = { tokens: 0, readyAt: needs.clock.now() };
  const found = charges.map((one, index) => levelOf(one, levels[index] ?? none));
  return found.filter(({ count, left }) => count !== undefined || left === 0);
}

async function readAll(
  charges: readonly Charge[],
  { buckets, clock }: BudgetNeeds,
): Promise<readonly BucketLevel[]> {
  const found: BucketLevel[] = [];
  for (let from = 0; from < charges.length; from += chunk)
    found.push(...(await buckets.levels(takesOf(charges.slice(from, from + chunk)), clock.now())));
  return found;
}

function levelOf({ name, about, limit }: Charge, { tokens, readyAt }: BucketLevel): LimitLevel {
  // As the script counts: what is missing by less than a rounding error is there.
  return { name, about, ...limit, left: Math.max(0, Math.floor(tokens + 1e-9)), readyAt };
}

/** The one in the way that takes longest. */
function last(levels: readonly LimitLevel[]): LimitLevel | undefined {
  return levels.filter(({ left }) => left === 0).toSorted((a, b) => b.readyAt - a.readyAt)[0];
}
