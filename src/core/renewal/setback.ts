import type { Ports } from '../ports.ts';
import { endOf } from '../precedence.ts';
import { deployAt, deploymentId } from '../records.ts';
import type { NewEvent, RenewalState } from '../types.ts';
import { closeBreaker } from './breaker-wait.ts';
import { failed } from './failed.ts';
import { configuredIssuers, isOutageCode } from './failover.ts';
import { type Held, type OutcomeNeeds, settle } from './held.ts';
import { type Blow, teachBudget } from './lessons.ts';
import { remember } from './remember.ts';
import { isWait, waitForRoom } from './room-wait.ts';

export type SetbackNeeds = OutcomeNeeds & Pick<Ports, 'issuances'>;

/** A failed attempt is state: what went wrong, when to try again, whom to tell. */
export async function rememberFailure(before: Held, blow: Blow, needs: SetbackNeeds): Promise<void> {
  const { lineage, domain, certificate } = before;
  const { error, issuer } = blow;
  const now = needs.clock.now();
  const outages = isOutageCode(error.code) ? await needs.issuerHealth.fault(issuer) : 0;
  // It answered; what failed before the CA was asked says nothing about it.
  if (outages === 0 && error.facts.problem !== undefined)
    await closeBreaker(issuer, () => needs.changes.commit({ wellIssuer: issuer }), needs);
  // The order may have been begun by this attempt, or ended by it.
  const held = { ...before, open: await needs.issuances.get(lineage.id) };
  await teachBudget(blow, held.open, needs);
  if (isWait(error)) return waitForRoom(held, blow, needs);
  needs.log.warn({ lineage: lineage.id, issuer, code: error.code, err: error }, 'certificate not issued');
  const showsFallback =
    certificate === undefined || endOf({ certificate, revokedAt: held.state.revokedAt }) <= now;
  const targets = showsFallback ? domain.deploy : [];
  const issuers = configuredIssuers(lineage, needs.settings());
  const context = { ...blow, held, issuers, outages, now, random: needs.random() };
  await remember(held, needs, ({ state }) => {
    const next = failed(state, context);
    const told = next.reminders.toldAt !== state.reminders.toldAt;
    return {
      state: next,
      events: [failedEvent(held, next, told)],
      deploys: deployAt(targets, lineage.id, now),
    };
  });
  await needs.jobs.wake(
    'deploy',
    targets.map((target) => deploymentId(target, lineage.id)),
  );
  const { requested } = await needs.renewals.get(lineage.id);
  const goesOn = requested !== undefined && requested.at === held.state.requested?.at;
  if (!goesOn) await settle(held, { state: 'failed', note: error.message }, needs);
}

function failedEvent({ lineage, certificate }: Held, state: RenewalState, tell: boolean): NewEvent {
  const { failures, retryAt, lastFailure } = state;
  return {
    type: 'certificate.failed',
    domain: lineage.domain,
    lineage: lineage.id,
    facts: {
      ...lastFailure,
      failures,
      retryAt,
      tell,
      names: lineage.wanted.names,
      notAfter: certificate?.notAfter,
    },
  };
}
