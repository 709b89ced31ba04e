import { editHeld } from '../held-lineages.ts';
import type { Pki, Ports } from '../ports.ts';
import { dueOfLineage } from '../renewal/next-action.ts';
import type {
  Bundle,
  Instant,
  Lineage,
  LineageId,
  RenewalState,
  RevocationReason,
  Revoking,
} from '../types.ts';

export type PlanNeeds = Pick<Ports, 'certificates' | 'renewals' | 'changes' | 'clock'> & {
  readonly pki: Pick<Pki, 'keyId'>;
};

/** A person's wish to have a certificate revoked. */
export interface RevocationWish {
  readonly lineage: Lineage;
  readonly bundle: Bundle;
  readonly reason: RevocationReason;
  readonly atOnce: boolean;
  readonly requestedBy: string | undefined;
  readonly task: string;
}

/** A generation to revoke, with the lineage that holds it. */
export interface Target {
  readonly lineage: Lineage;
  readonly entry: Revoking;
  /** Of its key, where that must never be used again. */
  readonly keyId: string | undefined;
}

/** What a wish comes to. */
export interface RevocationPlan {
  readonly targets: readonly Target[];
  /** Lineages that hold the key in what has expired: nobody revokes that, and its successor would keep the key. */
  readonly barred: readonly Barred[];
}

interface Barred {
  readonly id: LineageId;
  readonly keyId: string;
}

/** Bundles read at a time in a search of all that is held. */
const atOnce = 100;

/**
 * All that has to go with it: every lineage that holds the same certificate, and where its key is in somebody else's
 * hands every generation of whatever lineage that has that key and has not expired.
 */
export async function planRevocation(wish: RevocationWish, needs: PlanNeeds): Promise<RevocationPlan> {
  const now = needs.clock.now();
  const isCompromise = wish.reason === 'keyCompromise';
  const keyId = isCompromise ? needs.pki.keyId(wish.bundle.privateKey) : undefined;
  const own = { lineage: wish.lineage, bundle: wish.bundle };
  const found = [own, ...(await alike(wish, keyId, needs))];
  const live = found.filter(({ bundle }) => bundle.certificate.notAfter > now);
  const holders = (fingerprint: string, but: LineageId) =>
    live
      .filter(({ bundle, lineage }) => bundle.certificate.fingerprint === fingerprint && lineage.id !== but)
      .map(({ lineage }) => lineage.id);
  const targets = live.map(({ lineage, bundle }) => {
    const shared = holders(bundle.certificate.fingerprint, lineage.id);
    return { lineage, entry: entryOf(bundle, { wish, shared, now }), keyId };
  });
  const marked = new Set(live.map(({ lineage }) => lineage.id));
  const unmarked = new Set(found.map(({ lineage }) => lineage.id).filter((id) => !marked.has(id)));
  return { targets, barred: keyId === undefined ? [] : [...unmarked].map((id) => ({ id, keyId })) };
}

/** The key is not used again. Running twice changes nothing. */
export async function barKey({ id, keyId }: Barred, needs: PlanNeeds): Promise<void> {
  await editHeld(id, needs, ({ state }) => ({
    putRenewals: [{ ...state, compromised: withKey(state, keyId) }],
    durable: true,
  }));
}

/** Writes down what is to be revoked; the work of each lineage does the rest. Running twice changes nothing. */
export async function putTarget({ lineage, entry, keyId }: Target, needs: PlanNeeds): Promise<void> {
  await editHeld(lineage.id, needs, (held) => {
    const { state } = held;
    const others = (state.revoking ?? []).filter(({ fingerprint }) => fingerprint !== entry.fingerprint);
    const next: RenewalState = {
      ...state,
      revoking: [...others, entry],
      compromised: keyId === undefined ? state.compromised : withKey(state, keyId),
      retryAt: undefined,
    };
    const due = dueOfLineage({ ...held, state: next, now: needs.clock.now() });
    // Whatever else it waits for, it is looked at now.
    const now = { job: 'issue' as const, id: lineage.id, at: needs.clock.now() };
    return { putRenewals: [next], due: [...due.filter(({ job }) => job !== 'issue'), now], durable: true };
  });
}

function withKey({ compromised = [] }: RenewalState, keyId: string): readonly string[] {
  return [...new Set([...compromised, keyId])];
}

interface Held {
  readonly lineage: Lineage;
  readonly bundle: Bundle;
}

async function alike(
  { lineage, bundle }: RevocationWish,
  keyId: string | undefined,
  needs: PlanNeeds,
): Promise<readonly Held[]> {
  const { fingerprint, generation } = bundle.certificate;
  const isOwn = (one: Lineage, number: number) => one.id === lineage.id && number === generation;
  const all = await needs.certificates.lineages(keyId === undefined ? lineage.domain : undefined);
  const places = all
    .filter(({ source }) => source === 'acme')
    .flatMap((one) => one.generations.map((number) => ({ one, number })))
    .filter(({ one, number }) => !isOwn(one, number));
  const found: Held[] = [];
  for (let from = 0; from < places.length; from += atOnce) {
    const part = places.slice(from, from + atOnce);
    const bundles = await Promise.all(
      part.map(({ one, number }) => sameOne({ one, number, fingerprint }, keyId, needs)),
    );
    for (const [index, same] of bundles.entries()) {
      const place = part[index];
      if (same !== undefined && place !== undefined) found.push({ lineage: place.one, bundle: same });
    }
  }
  return found;
}

async function sameOne(
  place: { readonly one: Lineage; readonly number: number; readonly fingerprint: string },
  keyId: string | undefined,
  { certificates, pki }: PlanNeeds,
): Promise<Bundle | undefined> {
  const { one, number, fingerprint } = place;
  const facts = await certificates.certificate(one.id, number);
  if (keyId === undefined && facts?.fingerprint !== fingerprint) return undefined;
  const bundle = await certificates.bundle(one.id, number);
  if (bundle === undefined || keyId === undefined) return bundle;
  return pki.keyId(bundle.privateKey) === keyId ? bundle : undefined;
}

function entryOf(
  { certificate, leafDer }: Bundle,
  { wish, shared, now }: { wish: RevocationWish; shared: readonly LineageId[]; now: Instant },
): Revoking {
  const { generation, serial, fingerprint, issuer = '', notAfter } = certificate;
  const { reason, requestedBy, task, atOnce: isHurried } = wish;
  return {
    ...{ generation, serial, fingerprint, issuer, notAfter, reason, requestedBy, task },
    leaf: Buffer.from(leafDer).toString('base64'),
    requestedAt: now,
    atOnce: isHurried,
    shared,
    failures: 0,
  };
}
