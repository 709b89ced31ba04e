import { AgentError, toAgentError } from '../core/errors.ts';
import { acquireInTime, lineageLock } from '../core/locks.ts';
import { keyClassOf } from '../core/policies.ts';
import type { Fence, Lock, Ports } from '../core/ports.ts';
import { deploymentId } from '../core/records.ts';
import { takeOver } from '../core/renewal/take-over.ts';
import type { Certificate, Lineage } from '../core/types.ts';
import { type Place, placeOf } from '../core/wishes/import-place.ts';
import { changeWishes, type ReconcileNeeds, readWish, type StoredWish } from '../core/wishes/reconcile.ts';
import { type Candidate, type ExamineNeeds, examine } from './examine.ts';
import type { FoundCertificate } from './found.ts';
import type { ImportItem } from './report.ts';

export type ImportCertificateNeeds = ReconcileNeeds &
  ExamineNeeds &
  Pick<Ports, 'clock'> & {
    readonly dryRun: boolean;
  };

const lockMs = 15_000;
/** An order under way there ends by then, or its job gives the lineage up for a while. */
const waitMs = 60_000;

/**
 * Makes certificates of another client generation 1 of the lineages that want their names. Those of the same names come
 * in together, so that none of their keys is ordered meanwhile.
 */
export async function importCertificates(
  certificates: readonly FoundCertificate[],
  needs: ImportCertificateNeeds,
): Promise<readonly ImportItem[]> {
  const items: ImportItem[] = [];
  const groups = new Map<string, Candidate[]>();
  for (const found of certificates) {
    try {
      const candidate = await examine(found, needs);
      const key = [candidate.domain, ...candidate.names.toSorted()].join(' ');
      groups.set(key, [...(groups.get(key) ?? []), candidate]);
    } catch (error) {
      items.push({
        what: 'certificate',
        at: found.at,
        outcome: 'not taken',
        note: toAgentError(error).message,
      });
    }
  }
  for (const group of groups.values()) items.push(...(await takeGroup(group, needs)));
  return items;
}

async function takeGroup(
  group: readonly Candidate[],
  needs: ImportCertificateNeeds,
): Promise<readonly ImportItem[]> {
  const { items, chosen } = await choose(group, needs);
  if (chosen.length === 0 || needs.dryRun)
    return [...items, ...chosen.map((one) => itemOf(one, 'would be taken'))];
  try {
    await bringIn(chosen, needs);
    return [...items, ...chosen.map((one) => itemOf(one, 'taken'))];
  } catch (error) {
    const note = toAgentError(error).message;
    return [...items, ...chosen.map((one) => ({ ...itemOf(one, 'not taken'), note }))];
  }
}

interface Chosen {
  readonly candidate: Candidate;
  readonly place: Place;
}

/** One a lineage: of its own kind of key before another, then the newest. */
async function choose(
  group: readonly Candidate[],
  needs: ImportCertificateNeeds,
): Promise<{ readonly items: readonly ImportItem[]; readonly chosen: readonly Chosen[] }> {
  const items: ImportItem[] = [];
  const chosen: Chosen[] = [];
  const fits = ({ keyType }: Candidate, { lineage }: Place) => lineage.endsWith(`/${keyClassOf(keyType)}`);
  const placed: Chosen[] = [];
  for (const candidate of group) {
    try {
      const stored = await readWish(candidate.domain, needs);
      placed.push({ candidate, place: placeIn(candidate, stored, needs) });
    } catch (error) {
      items.push({ ...about(candidate), outcome: 'not taken', note: toAgentError(error).message });
    }
  }
  const rank = ({ candidate, place }: Chosen) =>
    (fits(candidate, place) ? 0 : -1e15) + candidate.facts.notAfter;
  for (const one of placed.toSorted((a, b) => rank(b) - rank(a))) {
    const { lineage } = one.place;
    const held = await heldIn(lineage, one.candidate.facts.fingerprint, needs);
    const isRival = chosen.some(({ place }) => place.lineage === lineage);
    if (held === undefined && !isRival) chosen.push(one);
    else if (held === 'same') items.push(itemOf(one, 'there already'));
    else {
      const note =
        isRival || held === undefined
          ? `${lineage} gets another one of these, which is newer or has the key that is wanted there`
          : `${lineage} holds another certificate already, with the serial number ${held.serial}`;
      items.push({ ...itemOf(one, 'not taken'), note });
    }
  }
  return { items, chosen };
}

/** What the lineage holds; 'same': this very certificate, now or in an earlier generation. */
async function heldIn(
  id: string,
  fingerprint: string,
  { certificates }: ImportCertificateNeeds,
): Promise<Certificate | 'same' | undefined> {
  const lineage = await certificates.lineage(id);
  const held = await Promise.all(
    (lineage?.generations ?? []).map((number) => certificates.certificate(id, number)),
  );
  if (held.some((one) => one?.fingerprint === fingerprint)) return 'same';
  return held.at(-1);
}

/** Under the locks of all lineages of the policy: no worker orders what is about to be there. */
async function bringIn(chosen: readonly Chosen[], needs: ImportCertificateNeeds): Promise<void> {
  const [first] = chosen;
  if (first === undefined) return;
  const { candidate, place } = first;
  const woken: (() => Promise<void>)[] = [];
  // A worker that is woken before all is stored would place a self-signed certificate for a moment.
  const jobs: Ports['jobs'] = {
    wake: async (job, ids) => void woken.push(() => needs.jobs.wake(job, ids)),
  };
  const locks = await lockAll(place.lineages, needs);
  try {
    const edit = (stored: StoredWish) => {
      const now = placeIn(candidate, stored, needs);
      if (now.policy.id === place.policy.id && String(now.lineages) === String(place.lineages))
        return now.edit;
      throw new AgentError(
        'command.conflict',
        `the domain ${candidate.domain} was changed just now; import again`,
      );
    };
    await changeWishes(candidate.domain, edit, { ...needs, jobs });
    for (const one of chosen)
      await store(
        one,
        locks.find(({ lock }) => lock === lineageLock(one.place.lineage)),
        needs,
      );
  } finally {
    for (const lock of locks) await lock.release();
  }
  for (const wake of woken) await wake();
  const { deploy } = place.domain;
  const ids = deploy.flatMap((target) => chosen.map((one) => deploymentId(target, one.place.lineage)));
  await needs.jobs.wake('deploy', ids);
}

async function store(
  { candidate, place }: Chosen,
  fence: Fence | undefined,
  needs: ImportCertificateNeeds,
): Promise<void> {
  const lineage = await needs.certificates.lineage(place.lineage);
  const held = await heldIn(place.lineage, candidate.facts.fingerprint, needs);
  if (lineage === undefined || held !== undefined)
    throw new AgentError('command.conflict', `${place.lineage} got another certificate just now`);
  const { found, facts, issuer } = candidate;
  const { leafDer, chainDer, ...rest } = facts;
  const certificate: Certificate = {
    ...rest,
    lineage: lineage.id,
    generation: nextNumber(lineage),
    source: 'acme',
    issuer,
    account: found.account,
    issuedAt: facts.notBefore,
    wanted: lineage.wanted,
  };
  const generation = { certificate, leafDer, chainDer, privateKey: found.privateKey };
  const { deploy } = place.domain;
  await takeOver({ lineage, generation, reason: 'imported', deploy, fence }, needs);
}

function nextNumber({ generations }: Lineage): number {
  return (generations.at(-1) ?? 0) + 1;
}

async function lockAll(lineages: readonly string[], needs: ImportCertificateNeeds): Promise<readonly Lock[]> {
  const held: Lock[] = [];
  try {
    for (const id of lineages.toSorted()) {
      const wait = { name: lineageLock(id), ttlMs: lockMs, waitMs, busy: `an order for ${id}` };
      held.push(await acquireInTime(wait, needs));
    }
    return held;
  } catch (error) {
    for (const lock of held) await lock.release();
    throw error;
  }
}

function placeIn(
  candidate: Candidate,
  stored: StoredWish,
  { settings, clock }: ImportCertificateNeeds,
): Place {
  return placeOf(candidate, candidate.domain, stored, { settings: settings(), now: clock.now() });
}

function about({ found, names }: Candidate): Pick<ImportItem, 'what' | 'at' | 'names'> {
  return { what: 'certificate', at: found.at, names };
}

function itemOf({ candidate, place }: Chosen, outcome: ImportItem['outcome']): ImportItem {
  const wanted = place.domain.keyTypes.find((one) => place.lineage.endsWith(`/${keyClassOf(one)}`));
  const isOther = wanted !== undefined && wanted !== candidate.keyType && outcome.endsWith('taken');
  const note = isOther ? `its key is ${candidate.keyType}; the next one will be ${wanted}` : undefined;
  return { ...about(candidate), outcome, into: place.lineage, note };
}
