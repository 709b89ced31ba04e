import type { Ports } from '../ports.ts';
import type { Instant, RenewalState } from '../types.ts';
import type { Again } from '../wait.ts';
import { unblocked } from './blocked.ts';
import { configuredIssuers, issuersInTurn, patience } from './failover.ts';
import type { Held, OutcomeNeeds } from './held.ts';
import { unpaused, withRoom } from './pause.ts';
import { remember } from './remember.ts';

type ChoiceNeeds = OutcomeNeeds & Pick<Ports, 'buckets'>;

/** An open breaker lets one order through in this time; a lineage that has to wait for it looks again after it. */
const breakerMs = 30_000;

/**
 * That of the order under way as long as there is patience with it. undefined: the breakers of all are open, and other
 * lineages are probing them.
 */
export async function issuerFor(
  { lineage, state, open }: Held,
  needs: ChoiceNeeds,
): Promise<string | undefined> {
  const configured = configuredIssuers(lineage, needs.settings());
  const now = needs.clock.now();
  const allowed = unpaused(configured, state.paused, now);
  const roomy = withRoom(allowed, state.waiting?.full, now);
  const issuers = inTurn(roomy.length === 0 ? allowed : roomy, state, now);
  if (issuers.length === 0) return lineage.wanted.issuers[0];
  const at = open?.orderUrl === undefined ? undefined : open.issuer;
  if (at !== undefined && issuers.includes(at) && (state.issuerFailures[at] ?? 0) < patience) return at;
  const faults = await needs.issuerHealth.faults(issuers);
  for (const [index, issuer] of issuers.entries())
    if ((faults[index] ?? 0) < patience || (await mayProbe(issuer, needs))) return issuer;
  return undefined;
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
async function mayProbe(issuer: string, { buckets, clock }: ChoiceNeeds): Promise<boolean> {
  const bucket = { key: `probe:${issuer}`, capacity: 1, perSecond: 1000 / breakerMs, cost: 1 };
  return (await buckets.take([bucket], clock.now())).taken;
}

/** Not a failure of this lineage: the breakers are open, and others are probing. People hear of it all the same. */
export async function waitForBreaker(held: Held, needs: ChoiceNeeds): Promise<Again> {
  const { lineage } = held;
  const now = needs.clock.now();
  const issuers = configuredIssuers(lineage, needs.settings()).join(', ');
  await remember(held, needs, ({ state }) => {
    if (state.failingSince !== undefined) return undefined;
    const message = `${issuers} failed for other certificates; one order at a time tries whether it is back`;
    const lastFailure = { at: now, code: 'acme.server', message };
    return { state: { ...state, failingSince: now, lastFailure } };
  });
  return { again: now + breakerMs };
}
