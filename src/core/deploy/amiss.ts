import { nextAttempt } from '../backoff.ts';
import type { Change, Ports } from '../ports.ts';
import { deploymentId, editDeployment } from '../records.ts';
import type { Amiss, Deployment, Instant, NewEvent } from '../types.ts';
import type { ProbedPlace } from './probe-place.ts';
import type { ProbeFinding } from './sight.ts';

export type AmissNeeds = Pick<Ports, 'deployments' | 'changes' | 'due' | 'jobs' | 'clock' | 'log'> & {
  readonly random: () => number;
};

const advice =
  'The agent deploys it anew by itself. If that does not help, see what else writes there, whether the server took up its new configuration, and whether the addresses under "probe" of the target are its own.';

export function isAmiss(findings: readonly ProbeFinding[]): boolean {
  return findings.some(({ level }) => level === 'amiss');
}

/**
 * Writes down what was seen at a place. What is amiss is told once, and has the target deployed anew, at once and then on
 * the ladder of deployments; it is over when each address where it was seen is right again. What is not reached says nothing.
 * `afterDeployment`: it was just put there anew, so this is the next step of the ladder.
 */
export async function recordSights(
  place: ProbedPlace,
  findings: readonly ProbeFinding[],
  needs: AmissNeeds,
  { afterDeployment = false }: { readonly afterDeployment?: boolean } = {},
): Promise<void> {
  const { target, lineage } = place.deployment;
  const id = deploymentId(target, lineage);
  const due = await needs.due.at('deploy', id);
  let isNew = false;
  await editDeployment(place.deployment, needs, (before): Change | undefined => {
    // Somebody put something else there since.
    if (before.observed?.fingerprint !== place.shown.fingerprint || before.failures > 0) return undefined;
    const after = next(before.amiss, findings, { place, afterDeployment, now: needs.clock.now(), needs });
    isNew = before.amiss === undefined && after !== undefined;
    if (after === before.amiss) return undefined;
    return {
      putDeployments: [{ ...before, amiss: after }],
      due: dueOf(before, after, due),
      events: eventsOf(before, after, place),
    };
  });
  if (!isAmiss(findings)) return;
  const seen = findings.map(({ address, message }) => `${address} ${message}`);
  needs.log.warn({ target, lineage, seen }, 'clients are shown something else than was deployed');
  if (isNew) await needs.jobs.wake('deploy', [id]);
}

interface Around {
  readonly place: ProbedPlace;
  readonly afterDeployment: boolean;
  readonly now: Instant;
  readonly needs: AmissNeeds;
}

function next(
  before: Amiss | undefined,
  findings: readonly ProbeFinding[],
  { place, afterDeployment, now, needs }: Around,
): Amiss | undefined {
  const bad = findings.filter(({ level }) => level === 'amiss');
  const [first] = bad;
  if (first === undefined) {
    const right = findings.filter(({ level }) => level === 'right').map(({ address }) => address);
    // Where all were reached, one that the file does not name any more holds nothing up.
    const isOver =
      right.length > 0 &&
      (right.length === findings.length || before?.addresses.every((one) => right.includes(one)) === true);
    return isOver ? undefined : before;
  }
  const seen = {
    at: now,
    message: `${first.address} ${first.message}`,
    addresses: [...new Set(bad.map(({ address }) => address))],
  };
  if (before === undefined) return { ...seen, since: now, failures: 0, retryAt: now };
  // The ladder is climbed by deployments, not by looks.
  if (!afterDeployment && before.retryAt !== undefined) return { ...before, ...seen };
  const failures = before.failures + 1;
  const { notAfter } = place.shown;
  const validUntil = notAfter > now ? notAfter : undefined;
  const retryAt = nextAttempt({ failures, retry: 'later', validUntil, random: needs.random() }, now);
  return { ...before, ...seen, failures, retryAt };
}

function dueOf(
  { target, lineage }: Deployment,
  after: Amiss | undefined,
  known: Instant | undefined,
): Change['due'] {
  if (after?.retryAt === undefined) return undefined;
  const at = Math.min(after.retryAt, known ?? after.retryAt);
  return [{ job: 'deploy', id: deploymentId(target, lineage), at }];
}

function eventsOf(
  { amiss: before, target }: Deployment,
  after: Amiss | undefined,
  { lineage, shown, domain }: ProbedPlace,
): readonly NewEvent[] {
  const about = { domain: domain.name, lineage: lineage.id };
  const facts = { target, names: lineage.wanted.names, notAfter: shown.notAfter };
  if (before === undefined && after !== undefined) {
    const message = `${target}: ${after.message}`;
    return [{ type: 'probe.failed', ...about, facts: { ...facts, message, advice, retryAt: after.retryAt } }];
  }
  return before !== undefined && after === undefined
    ? [{ type: 'probe.recovered', ...about, facts: { ...facts, since: before.since } }]
    : [];
}
