import { X509Certificate } from 'node:crypto';
import type { Change } from '../../src/core/ports.ts';
import { secret } from '../../src/core/secret.ts';
import type { Lineage, LineageSource } from '../../src/core/types.ts';
import type { Store } from '../../src/store/index.ts';
import { domain, wanted } from '../store/samples.ts';
import { type Forged, forge, keyDer, rsaKey } from '../support/forge.ts';
import { fingerprintOf } from '../support/handshake.ts';
import { intermediate } from '../x509/upload/pki.ts';

const day = 86_400_000;
/** Clients that take RSA alone want it in the whole chain. */
const rsaRoot = () => ({ name: 'Test RSA Root', key: rsaKey(2048) });

export interface Held {
  readonly id: string;
  readonly of: string;
  readonly names: readonly string[];
  readonly source?: LineageSource;
  readonly generation?: number;
  readonly lifeMs?: number;
}

/** Puts a certificate of the tests' CA as a generation of a lineage. Resolves with its fingerprint. */
export async function hold(store: Store, wish: Held): Promise<string> {
  const { change, fingerprint } = held(wish);
  await store.changes.commit(change);
  return fingerprint;
}

/** The change that puts it; RSA where the id ends so. */
export function held(wish: Held): { change: Change; fingerprint: string; forged: Forged } {
  const { id, of, names, source = 'acme', generation = 1, lifeMs = 30 * day } = wish;
  const now = Date.now();
  const isRsa = id.endsWith('/rsa');
  const dates = { notBefore: now - day, notAfter: now + lifeMs };
  const issuer = isRsa ? rsaRoot() : intermediate;
  const key = isRsa ? rsaKey(2048) : undefined;
  const forged = forge({ subject: names[0] ?? '', issuer, names, ...dates, key });
  const fingerprint = fingerprintOf(new X509Certificate(forged.der));
  const keyType = isRsa ? ('rsa2048' as const) : ('p256' as const);
  const spec = { ...wanted, names, keyType };
  const [, label = id] = /^[^/]+\/(.+)\/\w+$/.exec(id) ?? [];
  const policy = source === 'upload' ? undefined : `${of}/${label}`;
  const record: Lineage = {
    ...{ id, source, domain: of, label, policy, wanted: spec },
    createdAt: now,
    generations: [],
  };
  const facts = { names, keyType, fingerprint, issuerName: 'Test CA', serial: '01', issuedAt: now };
  const change: Change = {
    putLineages: [record],
    generation: {
      certificate: { ...facts, ...dates, lineage: id, generation, source, wanted: spec },
      leafDer: forged.der,
      chainDer: isRsa ? [] : [intermediate.der],
      privateKey: secret<Uint8Array>(keyDer(forged.key)),
    },
  };
  return { change, fingerprint, forged };
}

export async function addDomain(store: Store, name: string): Promise<void> {
  await store.changes.commit({ putDomains: [domain(name)] });
}
