import type { Ports } from '../ports.ts';
import type { Instant, RenewalState } from '../types.ts';
import { unblocked } from './blocked.ts';
import { lookAgainAt, type Slot, slotAt } from './breaker.ts';
import { configuredIssuers, issuersInTurn, patience } from './failover.ts';
import type { Held, OutcomeNeeds } from './held.ts';
import { unpaused, withRoom } from './pause.ts';

type ChoiceNeeds = OutcomeNeeds & Pick<Ports, 'buckets'>;

/** So often a request alone is a reason to probe. */
const askedMs = 30_000;

/** An issuer to ask. `probe`: its breaker is open, and this is the one order that tries whether it is back. */
export interface Chosen {
  readonly issuer: string;
  readonly probe?: Slot | undefined;
}

/**
 * That of the order under way as long as there is patience with it. `lookAt`: the breakers of all are open, and other
 * lineages are probing them.
 */
export async function issuerFor(
  { lineage, state, open }: Held,
  needs: ChoiceNeeds,
): Promise<Chosen | { readonly lookAt: Instant }> {
  const configured = configuredIssuers(lineage, needs.settings());
  const now = needs.clock.now();
  const allowed = unpaused(configured, state.paused, now);
  const roomy = withRoom(allowed, state.waiting?.full, now);
  const issuers = inTurn(roomy.length === 0 ? allowed : roomy, state, now);
  if (issuers.length === 0) return { issuer: lineage.wanted.issuers[0] ?? '' };
  const at = open?.orderUrl === undefined ? undefined : open.issuer;
  if (at !== undefined && issuers.includes(at) && (state.issuerFailures[at] ?? 0) < patience)
    return { issuer: at };
  const breakers = await needs.issuerHealth.openedAt(issuers);
  const looks: Instant[] = [];
  for (const [index, issuer] of issuers.entries()) {
    const openedAt = breakers[index];
    if (openedAt === undefined) return { issuer };
    const slot = slotAt(openedAt, now);
    if ((await mayProbe(issuer, slot, needs)) || (await isAskedNow(state, issuer, needs)))
      return { issuer, probe: slot };
    looks.push(lookAgainAt(slot, needs.random()));
  }
  return { lookAt: Math.min(...looks) };
}

/** First those whose day as a blocked one is over: were the others asked instead, their turn might never come. */
function inTurn(
  issuers: readonly string[],
  { blocked, issuerFailures }: RenewalState,
  now: Instant,
): readonly string[] {
  const open = unblocked(issuers, blocked, now);
  if (open.length === 0) return issuersInTurn(issuers, issuerFailures);
  const again = open.filter((issuer) => blocked?.[issuer] !== undefined);
  const others = open.filter((issuer) => !again.includes(issuer));
  return [...again, ...issuersInTurn(others, issuerFailures)];
}

/** Without probes a breaker would stay open for ever where the next issuer does well. */
async function mayProbe(issuer: string, slot: Slot, needs: ChoiceNeeds): Promise<boolean> {
  const { startsAt, endsAt } = slot;
  if (startsAt === undefined) return false;
  return takes(`probe:${issuer}:${startsAt}`, endsAt - startsAt, needs);
}

/** Somebody who has just asked for it skips that ladder too; of many who do one at a time. */
async function isAskedNow({ requested }: RenewalState, issuer: string, needs: ChoiceNeeds): Promise<boolean> {
  if (requested === undefined || requested.askedAt !== undefined) return false;
  return requested.at <= needs.clock.now() && takes(`probe:${issuer}:asked`, askedMs, needs);
}

async function takes(key: string, forMs: number, { buckets, clock }: ChoiceNeeds): Promise<boolean> {
  const bucket = { key, capacity: 1, perSecond: 1000 / forMs, cost: 1 };
  return (await buckets.take([bucket], clock.now())).taken;
}
