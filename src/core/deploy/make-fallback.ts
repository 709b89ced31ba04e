import { isAgentError } from '../errors.ts';
import { fallbackId } from '../policies.ts';
import type { Ports } from '../ports.ts';
import type { Bundle, Certificate, Lineage } from '../types.ts';
import { fallbackRenewAt, fallbackValidity } from './fallback.ts';
import type { Showing } from './showing.ts';

export type FallbackNeeds = Pick<Ports, 'certificates' | 'changes' | 'pki' | 'clock'>;

/**
 * What stands in for a lineage without a valid certificate: the stored fallback while it has a third of its life left
 * and covers the wished names, else a new one.
 */
export async function fallbackBundle(
  { lineage, fallback: held }: Pick<Showing, 'lineage' | 'fallback'>,
  needs: FallbackNeeds,
): Promise<Bundle> {
  const fallback = held?.certificate;
  const id = fallbackId(lineage.policy ?? lineage.id);
  const fits = lineage.wanted.names.every((name) => fallback?.names.includes(name));
  if (fallback !== undefined && fits && needs.clock.now() < fallbackRenewAt(fallback)) {
    const stored = await needs.certificates.bundle(id);
    if (stored !== undefined) return stored;
  }
  try {
    return await makeFallback(id, lineage, needs);
  } catch (error) {
    // Another target, or the other key class, made the same fallback meanwhile.
    const theirs = isAgentError(error, 'store.conflict') ? await needs.certificates.bundle(id) : undefined;
    if (theirs === undefined) throw error;
    return theirs;
  }
}

async function makeFallback(id: string, lineage: Lineage, needs: FallbackNeeds): Promise<Bundle> {
  const now = needs.clock.now();
  const held = await needs.certificates.lineage(id);
  const privateKey = await needs.pki.generateKey('p256');
  const { leafDer, chainDer, ...facts } = needs.pki.selfSigned(
    lineage.wanted.names,
    privateKey,
    fallbackValidity(now),
  );
  const wanted = { ...lineage.wanted, keyType: 'p256' as const };
  const generation = (held?.generations.at(-1) ?? 0) + 1;
  const certificate: Certificate = {
    ...facts,
    lineage: id,
    generation,
    source: 'self-signed',
    issuedAt: now,
    wanted,
  };
  const bundle = { certificate, leafDer, chainDer, privateKey };
  const record: Lineage = {
    id,
    source: 'self-signed',
    domain: lineage.domain,
    policy: lineage.policy,
    label: lineage.label,
    wanted,
    createdAt: held?.createdAt ?? now,
    generations: [],
  };
  await needs.changes.commit({ putLineages: [record], generation: bundle });
  return bundle;
}
