import type { Ports } from '../ports.ts';
import type { Secret } from '../secret.ts';
import type { Certificate, Domain, Lineage, RenewalState } from '../types.ts';

/** What decides on the key of the next certificate. */
export interface KeyQuestion {
  readonly lineage: Lineage;
  readonly domain: Domain;
  readonly predecessor: Certificate | undefined;
  readonly state: Pick<RenewalState, 'compromised' | 'lastFailure'>;
}

/**
 * A new key, or where the domain keeps its keys that of the certificate to be replaced: if it is of the type that is
 * wanted, nobody else is known to have it, and the CA did not just refuse the request that it signed.
 */
export async function chooseKey(
  question: KeyQuestion,
  needs: Pick<Ports, 'certificates' | 'pki'>,
): Promise<Secret<Uint8Array>> {
  return (await keptKey(question, needs)) ?? needs.pki.generateKey(question.lineage.wanted.keyType);
}

async function keptKey(
  { lineage, domain, predecessor, state }: KeyQuestion,
  { certificates, pki }: Pick<Ports, 'certificates' | 'pki'>,
): Promise<Secret<Uint8Array> | undefined> {
  const isRefused = state.lastFailure?.code === 'acme.malformed';
  if (domain.reuseKey !== true || predecessor === undefined || isRefused) return undefined;
  const key = (await certificates.bundle(lineage.id, predecessor.generation))?.privateKey;
  if (key === undefined || pki.keyType(key) !== lineage.wanted.keyType) return undefined;
  return state.compromised?.includes(pki.keyId(key)) === true ? undefined : key;
}
