import { AgentError } from '../errors.ts';
import { inParallel } from '../together.ts';
import type { Domain, Instant, Lineage } from '../types.ts';
import { inTime, longestInProcessMs, pollPause } from '../wait.ts';
import { type AmissNeeds, isAmiss, recordSights } from './amiss.ts';
import { hasPlace } from './holdings.ts';
import { lookAtPlace, type ProbedPlace, type ProbePlaceNeeds, probedPlace } from './probe-place.ts';
import type { ProbeFinding } from './sight.ts';

export type ProbeNeeds = ProbePlaceNeeds & AmissNeeds;

/** Places at a time; the prober has a limit of its own. */
const atOnce = 8;

/** What is amiss is looked at twice: a server may be about to take up what was just deployed. */
const confirmMs = 5_000;

/** The same for a person who waits, who has an answer in the end. */
const againMs = 2_000;
/** Longest that a worker is held. */
const inAllMs = longestInProcessMs;

/** So long a place is looked at again after it was deployed anew. */
const settlingMs = 8_000;
const firstPauseMs = 500;

/**
 * Looks from outside what clients are shown, at all targets that the file has probed. A chore; may run twice.
 */
export async function probeTargets(given: ProbeNeeds, signal: AbortSignal): Promise<void> {
  if (Object.keys(given.settings().probes ?? {}).length === 0) return;
  const needs = { ...given, unreached: new Set<string>() };
  const doubtful: ProbedPlace[] = [];
  for (const domain of await needs.wishes.domains()) {
    await inParallel(await placesOf(domain, needs), atOnce, async (place) => {
      signal.throwIfAborted();
      const findings = await lookAtPlace(place, needs, signal);
      if (isAmiss(findings)) doubtful.push(place);
      else await recordSights(place, findings, needs);
    });
  }
  if (doubtful.length === 0) return;
  await needs.clock.sleep(confirmMs, signal);
  await inParallel(doubtful, atOnce, async (place) => {
    await recordSights(place, await lookAtPlace(place, needs, signal), needs);
  });
}

async function placesOf(domain: Domain, needs: ProbeNeeds): Promise<readonly ProbedPlace[]> {
  const places: ProbedPlace[] = [];
  for (const lineage of await needs.certificates.lineages(domain.name)) {
    if (!(await hasPlace(lineage, domain, needs))) continue;
    for (const deployment of await needs.deployments.of(lineage.id)) {
      const place = await probedPlace(deployment, lineage, domain, needs);
      if (place !== undefined) places.push(place);
    }
  }
  return places;
}

/** For a person who waits: what is amiss at first is looked at once more, if there is time. All in all at most 10 s. */
export async function lookTwice(
  look: Look,
  { clock }: Pick<ProbeNeeds, 'clock'>,
  signal: AbortSignal,
): Promise<readonly ProbeFinding[]> {
  const until = clock.now() + inAllMs;
  const first = await look(signal);
  if (!isAmiss(first) || clock.now() + againMs >= until) return first;
  await clock.sleep(againMs, signal);
  return (await lookUntil(until, look, { clock, signal })) ?? first;
}

type Look = (signal: AbortSignal) => Promise<readonly ProbeFinding[]>;

/** undefined: it took longer, or went wrong. */
async function lookUntil(
  until: Instant,
  look: Look,
  { clock, signal }: Pick<ProbeNeeds, 'clock'> & { readonly signal: AbortSignal },
): Promise<readonly ProbeFinding[] | undefined> {
  const ms = until - clock.now();
  const late = () => new AgentError('net.failed', 'there was no time for another look');
  try {
    return ms <= 0 ? undefined : await inTime({ clock, ms, late, signal }, look);
  } catch {
    signal.throwIfAborted();
    return undefined;
  }
}

/**
 * What came of a deployment that should mend what clients are shown: servers take a moment to take it up. Holds a worker for
 * 10 s at most, also where one of them is silent.
 */
export async function probeAfterDeployment(
  { target, lineage }: { readonly target: string; readonly lineage: Lineage },
  needs: ProbeNeeds,
  signal: AbortSignal,
): Promise<void> {
  const [domain, deployment] = await Promise.all([
    needs.wishes.domain(lineage.domain),
    needs.deployments.get(target, lineage.id),
  ]);
  if (domain === undefined || deployment?.amiss === undefined) return;
  const place = await probedPlace(deployment, lineage, domain, needs);
  if (place === undefined) return;
  const look = (both: AbortSignal) => lookAtPlace(place, needs, both);
  const [settled, until] = [needs.clock.now() + settlingMs, needs.clock.now() + inAllMs];
  let findings = await look(signal);
  for (let poll = 0; isAmiss(findings); poll += 1) {
    const pauseMs = pollPause(poll, undefined, firstPauseMs);
    if (needs.clock.now() + pauseMs > settled) break;
    await needs.clock.sleep(pauseMs, signal);
    findings = (await lookUntil(until, look, { clock: needs.clock, signal })) ?? findings;
  }
  await recordSights(place, findings, needs, { afterDeployment: true });
}
