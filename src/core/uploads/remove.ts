import { withBindings } from '../bindings/bind.ts';
import { type AffectedNeeds, placesCovered } from '../deploy/affected.ts';
import { clearLater } from '../deploy/clear.ts';
import { hasPlace, readShowing } from '../deploy/holdings.ts';
import { type Showing, trustedFor } from '../deploy/showing.ts';
import { AgentError } from '../errors.ts';
import { acquireInTime, wishesLock } from '../locks.ts';
import { fallbackId } from '../policies.ts';
import type { Change, Fence, Ports } from '../ports.ts';
import { parseDeploymentId, untilUncontested } from '../records.ts';
import type { Certificate, Lineage, LineageId, NewEvent } from '../types.ts';

export type RemoveNeeds = AffectedNeeds &
  Pick<Ports, 'renewals' | 'deployments' | 'changes' | 'jobs' | 'locks' | 'clock' | 'log'>;

export interface Removal {
  readonly lineage: LineageId;
  /** Also where visitors then get nothing that they trust. */
  readonly force: boolean;
  readonly requestedBy?: string | undefined;
}

const lockMs = 30_000;

/**
 * Deletes an upload with all its generations and keys; what comes next is deployed in its place, or the place is cleared.
 * Throws `command.conflict` while it is bound, or is all that visitors of some name have.
 */
export async function removeUpload(removal: Removal, needs: RemoveNeeds): Promise<void> {
  const seen = await needs.certificates.lineage(removal.lineage);
  if (seen === undefined) throw notFound(removal.lineage);
  const { domain } = seen;
  const wait = { name: wishesLock(domain), ttlMs: lockMs, waitMs: lockMs, busy: `a change of ${domain}` };
  const wishes = await acquireInTime(wait, needs);
  try {
    await withBindings(needs, () => removeHeld(removal, wishes, needs));
  } finally {
    await wishes.release();
  }
}

async function removeHeld(
  { lineage: id, force, requestedBy }: Removal,
  fence: Fence,
  needs: RemoveNeeds,
): Promise<void> {
  const [lineage, certificate] = await Promise.all([
    needs.certificates.lineage(id),
    needs.certificates.certificate(id),
  ]);
  if (lineage === undefined) throw notFound(id);
  await refuseBound(id, needs);
  const now = needs.clock.now();
  const names = certificate?.names ?? lineage.wanted.names;
  const others = (await placesCovered({ domain: lineage.domain, names, now }, needs)).filter(
    (place) => parseDeploymentId(place.id).lineage !== id,
  );
  if (!force)
    await refuseNeeded(
      lineage,
      others.map((place) => parseDeploymentId(place.id).lineage),
      needs,
    );
  const due = await untilUncontested(async () => {
    const leaving = await leave(lineage, needs);
    const all = [...others, ...(leaving.due ?? [])];
    await needs.changes.commit({
      fence,
      removeLineages: [id, fallbackId(id)],
      ...leaving,
      due: all,
      events: [eventOf(lineage, certificate, requestedBy)],
      durable: true,
    });
    return all;
  });
  needs.log.info({ lineage: id, serial: certificate?.serial }, 'uploaded certificate deleted with its keys');
  await needs.jobs.wake('deploy', [...new Set(due.map((place) => place.id))]);
}

/** Throws for a lineage that something is bound to. */
export async function refuseBound(id: LineageId, { bindings }: Pick<Ports, 'bindings'>): Promise<void> {
  const bound = (await bindings.of(id)).map(({ name }) => name);
  if (bound.length > 0)
    throw new AgentError('command.conflict', `${id} is bound to ${bound.join(', ')}; unbind that first`);
}

/** Where it is shown, something else that is trusted has to be there. */
async function refuseNeeded(
  lineage: Lineage,
  others: readonly LineageId[],
  needs: RemoveNeeds,
): Promise<void> {
  const domain = await needs.wishes.domain(lineage.domain);
  if (domain === undefined) return;
  const places = [...new Set([lineage.id, ...others])];
  const labels: string[] = [];
  for (const id of places) {
    const place = id === lineage.id ? lineage : await needs.certificates.lineage(id);
    if (place === undefined || !(await hasPlace(place, domain, needs))) continue;
    const showing = await readShowing(place, domain, needs);
    if (isNeeded(lineage.id, showing, needs)) labels.push(place.label);
  }
  if (labels.length > 0)
    throw new AgentError(
      'command.conflict',
      `${lineage.id} is what visitors of ${labels.slice(0, 5).join(', ')} get, and nothing trusted is held in its place; upload its successor, or use force`,
    );
}

function isNeeded(id: LineageId, showing: Showing, { clock }: RemoveNeeds): boolean {
  const now = clock.now();
  if (trustedFor(showing, now)?.lineage !== id) return false;
  const isOther = ({ certificate }: { certificate: Certificate }) => certificate.lineage !== id;
  const own = showing.own !== undefined && isOther(showing.own) ? showing.own : undefined;
  return trustedFor({ ...showing, own, rivals: showing.rivals.filter(isOther) }, now) === undefined;
}

/** What it left at the targets is taken away, where the place was its own. */
async function leave(lineage: Lineage, needs: RemoveNeeds): Promise<Pick<Change, 'putDeployments' | 'due'>> {
  const domain = await needs.wishes.domain(lineage.domain);
  if (domain === undefined || !(await hasPlace(lineage, domain, needs))) return {};
  const deployments = await needs.deployments.of(lineage.id);
  return clearLater(lineage, { deployments, targets: domain.deploy }, needs.clock.now());
}

function eventOf(
  { id, domain }: Lineage,
  certificate: Certificate | undefined,
  requestedBy: string | undefined,
): NewEvent {
  const { serial, notAfter, names } = certificate ?? {};
  return {
    type: 'certificate.removed',
    domain,
    lineage: id,
    facts: { serial, notAfter, names, requestedBy },
  };
}

function notFound(id: LineageId): AgentError {
  return new AgentError(
    'command.notFound',
    `there is no certificate ${id}; "certs list" shows those there are`,
  );
}
