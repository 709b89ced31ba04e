import { believable, believableRetry, longestLadderMs } from '../backoff.ts';
import { fallbackRenewAt } from '../deploy/fallback.ts';
import { chosenFor, type Showing, showingEndsAt } from '../deploy/showing.ts';
import { nextReminder } from '../notice/reminders.ts';
import { revocationDueAt } from '../revocation/revoking.ts';
import type { Deployment, DueEntry, Instant } from '../types.ts';
import { adviceDueAt } from './advice.ts';
import { type Case, decide, dueFrom, isAbandoned } from './decide.ts';
import { leftOutDueAt } from './left-out.ts';

/** The only place that computes scores of the due index. undefined: nothing to do until something changes. */
export function nextIssue(given: Case): Instant | undefined {
  // Of an upload only a person has the next one.
  if (given.lineage.source !== 'acme') return undefined;
  return earliest([nextOrder(given), revocationDueAt(given.state, given)]);
}

function nextOrder(given: Case): Instant | undefined {
  const { state, certificate, open, now } = given;
  const wish = believable(state.requested?.at, now);
  // Whoever asked is told, and an order that nobody wants any more is ended.
  if (isAbandoned(given)) return open === undefined ? wish : now;
  const reason = decide({ ...given, state: { ...state, requested: undefined } });
  if (reason !== undefined)
    return earliest([wish, believableRetry(state, now) ?? now, believable(open?.lookAt, now)]);
  return earliest([
    wish,
    certificate === undefined ? state.renewAt : dueFrom(state, certificate),
    adviceDueAt(state, now),
    leftOutDueAt(state.leftOut, now),
  ]);
}

export interface DeploymentCase {
  readonly deployment: Deployment;
  readonly showing: Showing;
  /** Of the target as the file has it now. */
  readonly mark?: string | undefined;
  readonly now: Instant;
}

/**
 * The target is another place now: at once. Something else is served than should be: now, or on the deployment's own
 * ladder, also where only clients see that. Else when the choice changes by itself.
 */
export function nextDeploy(given: DeploymentCase): Instant | undefined {
  const { deployment, showing, mark, now } = given;
  if (deployment.mark !== mark) return now;
  const wanted = chosenFor(showing, now)?.candidate.certificate;
  if (
    wanted === undefined ||
    deployment.observed?.fingerprint !== wanted.fingerprint ||
    deployment.failures > 0
  )
    return believable(deployment.retryAt, now, longestLadderMs) ?? now;
  const renewAt = wanted.source === 'self-signed' ? fallbackRenewAt(wanted) : undefined;
  const amissAt = believable(deployment.amiss?.retryAt, now, longestLadderMs);
  return earliest([renewAt, amissAt, showingEndsAt(showing, now)]);
}

export type DueWrite = Omit<DueEntry, 'at'> & { readonly at: Instant | undefined };

/** Due entries of a lineage: its next order and its next reminder. */
export function dueOfLineage(given: Case): readonly DueWrite[] {
  return [{ job: 'issue', id: given.lineage.id, at: nextIssue(given) }, reminderOf(given)];
}

/** For what changes nothing about the next order. */
export function reminderOf(given: Case): DueWrite {
  return { job: 'remind', id: given.lineage.id, at: nextReminder(given) };
}

function earliest(instants: readonly (Instant | undefined)[]): Instant | undefined {
  const known = instants.filter((at) => at !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}
