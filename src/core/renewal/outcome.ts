import { placesElsewhere } from '../deploy/affected.ts';
import type { Issued } from '../order/issue.ts';
import { deployAt, deploymentId, editRenewal } from '../records.ts';
import type { Certificate, DueEntry, NewEvent, RenewalState } from '../types.ts';
import { acquired } from './acquired.ts';
import { isHurried } from './advice.ts';
import { closeBreaker } from './breaker-wait.ts';
import type { Reason } from './decide.ts';
import { type Held, type OutcomeNeeds, settle, toCase } from './held.ts';
import { dueOfLineage } from './next-action.ts';
import { withoutPauses } from './pause.ts';
import { answered } from './request.ts';

/** A new certificate: generation, state, due entries and events in one write, then the commit point. */
export async function storeIssued(
  held: Held,
  { issued, reason }: { issued: Issued; reason: Reason },
  needs: OutcomeNeeds,
): Promise<void> {
  const { lineage, domain, fence } = held;
  const { certificate } = issued.bundle;
  const done = { serial: certificate.serial, task: held.state.requested?.task };
  const store = () =>
    editRenewal(lineage.id, needs, (state) => {
      const at = needs.clock.now();
      const isEarly =
        reason === 'due' && held.certificate !== undefined && isHurried(state, held.certificate, at);
      const requested = answered(state, held.state);
      const next = {
        ...acquired(state, { lineage, certificate, requested, now: at }, needs),
        hurriedAt: isEarly ? at : undefined,
        paused: withoutPauses(state.paused, [certificate.issuer]),
      };
      const events = successEvents(held, { certificate, reason, isWhole: next.leftOut === undefined });
      return {
        fence,
        generation: issued.bundle,
        putRenewals: [next],
        putIssuance: { ...issued.issuance, stored: done },
        wellIssuer: certificate.issuer,
        // Until the commit point the lineage stays due: if this run dies, another one ends what it left.
        due: [
          { job: 'issue', id: lineage.id, at },
          { job: 'remind', id: lineage.id, at: undefined },
          ...deployAt(domain.deploy, lineage.id, at),
        ],
        events,
        durable: true,
      };
    });
  await closeBreaker(certificate.issuer ?? '', store, needs);
  // What was stored, and whether its targets are others by now than when the order began.
  const [stored, deploys] = await Promise.all([
    needs.certificates.certificate(lineage.id),
    deploysNow(lineage, needs),
  ]);
  if (stored?.fingerprint !== certificate.fingerprint)
    throw new Error('the stored certificate is not the one just issued');
  const ms = needs.clock.now() - issued.issuance.startedAt;
  needs.log.info(
    { lineage: lineage.id, reason, issuer: certificate.issuer, serial: certificate.serial, ms },
    'certificate issued',
  );
  await needs.jobs.wake(
    'deploy',
    deploys.map(({ id }) => id),
  );
  const [state] = await Promise.all([
    needs.renewals.get(lineage.id),
    settle(held, { state: 'done', note: certificate.serial }, needs),
  ]);
  const isNew = ({ id }: DueEntry) =>
    !domain.deploy.some((target) => deploymentId(target, lineage.id) === id);
  await issued.finish([
    ...dueOfLineage({ ...toCase(held, needs), certificate, state }),
    ...deploys.filter(isNew),
  ]);
}

/** Of its own place, and of all others that may show it. */
async function deploysNow(lineage: Held['lineage'], needs: OutcomeNeeds): Promise<readonly DueEntry[]> {
  const now = needs.clock.now();
  const [domain, elsewhere] = await Promise.all([
    needs.wishes.domain(lineage.domain),
    placesElsewhere(lineage, now, needs),
  ]);
  return [...deployAt(domain?.deploy ?? [], lineage.id, now), ...elsewhere];
}

function successEvents(
  { lineage, state }: Held,
  {
    certificate,
    reason,
    isWhole,
  }: { readonly certificate: Certificate; readonly reason: Reason; readonly isWhole: boolean },
): readonly NewEvent[] {
  const about = { domain: lineage.domain, lineage: lineage.id };
  const { serial, issuer, notAfter, names } = certificate;
  const issued: NewEvent = {
    type: 'certificate.issued',
    ...about,
    facts: { reason, serial, issuer, notAfter, names },
  };
  return isWhole ? [issued, ...recoveredEvents(state, certificate, lineage.domain)] : [issued];
}

/** For people who were told that it fails. */
export function recoveredEvents(
  { lineage, failures, reminders }: RenewalState,
  { serial, issuer, notAfter, names }: Certificate,
  domain: string,
): readonly NewEvent[] {
  const facts = { serial, issuer, notAfter, names, failures };
  return reminders.toldAt === undefined ? [] : [{ type: 'certificate.recovered', domain, lineage, facts }];
}
