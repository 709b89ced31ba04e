import { randomBytes } from 'node:crypto';
import { type AffectedNeeds, placesCovered, placesElsewhere } from '../deploy/affected.ts';
import { acquireInTime, wishesLock } from '../locks.ts';
import type { CertificateFacts, Fence, Ports } from '../ports.ts';
import { ownDomain } from '../precedence.ts';
import { deployAt, editRenewal } from '../records.ts';
import { dueOfLineage } from '../renewal/next-action.ts';
import { recoveredEvents } from '../renewal/outcome.ts';
import type { Secret } from '../secret.ts';
import type { Binding, Certificate, Domain, Instant, Lineage, RenewalState, Settings } from '../types.ts';
import { expiringFrom } from './expiring.ts';
import { type UploadPlace, type UploadWish, uploadPlace } from './place.ts';

export type UploadNeeds = AffectedNeeds &
  Pick<Ports, 'renewals' | 'changes' | 'jobs' | 'locks' | 'clock' | 'log'> & {
    readonly settings: () => Settings;
  };

/** A certificate that was handed in and found good. */
export interface Upload extends UploadWish {
  readonly facts: CertificateFacts;
  /** PKCS #8 DER. */
  readonly privateKey: Secret<Uint8Array>;
  readonly domain: Domain;
  /** What it was staged as. */
  readonly staging: string;
  readonly requestedBy?: string | undefined;
}

export interface Stored {
  readonly certificate: Certificate;
  readonly label: string;
  /** The very same one was there already. */
  readonly isOld: boolean;
}

const lockMs = 30_000;

/** Names whose own domain this is: the longest of those that there are. */
export function ownNames(
  names: readonly string[],
  domain: string,
  domains: readonly Domain[],
): readonly string[] {
  const known = new Set(domains.map((one) => one.name));
  return names.filter((name) => ownDomain(name, known) === domain);
}

/**
 * Stores an upload as a lineage of its own, or as the next generation of the one that it succeeds, and has everything
 * deployed that may show it. One write; the staged files are forgotten in it. Throws `command.*`; then nothing is stored.
 */
export async function storeUpload(upload: Upload, needs: UploadNeeds): Promise<Stored> {
  const { name } = upload.domain;
  const wait = { name: wishesLock(name), ttlMs: lockMs, waitMs: lockMs, busy: `a change of ${name}` };
  const lock = await acquireInTime(wait, needs);
  try {
    return await storeHeld(upload, lock, needs);
  } finally {
    await lock.release();
  }
}

async function storeHeld(upload: Upload, fence: Fence, needs: UploadNeeds): Promise<Stored> {
  const { facts, domain } = upload;
  const place = await findPlace(upload, needs);
  const before = place.successorOf && (await needs.certificates.certificate(place.successorOf.id));
  if (before?.fingerprint === facts.fingerprint) {
    await needs.changes.commit({
      useStaging: { id: upload.staging, lineage: before.lineage },
      durable: true,
    });
    return { certificate: before, label: place.label, isOld: true };
  }
  const now = needs.clock.now();
  const lineage = lineageOf(upload, place, now);
  const certificate = certificateOf(facts, lineage, now);
  const affected = await affectedBy({ lineage, before, certificate }, needs);
  const due = [...deployAt(domain.deploy, lineage.id, now), ...affected];
  await commit({ upload, lineage, certificate, fence, due }, needs);
  const { serial } = certificate;
  needs.log.info({ lineage: lineage.id, serial, generation: certificate.generation }, 'certificate uploaded');
  await needs.jobs.wake('deploy', [...new Set(due.map(({ id }) => id))]);
  return { certificate, label: lineage.label, isOld: false };
}

async function findPlace(
  upload: Upload,
  { wishes, certificates, bindings }: UploadNeeds,
): Promise<UploadPlace> {
  const { facts, domain } = upload;
  const [domains, uploads] = await Promise.all([wishes.domains(), certificates.uploads(domain.name)]);
  const ids = uploads.map(({ id }) => id);
  const currents = await certificates.currents(ids);
  const bound = await Promise.all(ids.map((id) => bindings.of(id)));
  const at =
    <T>(found: readonly T[]) =>
    (lineage: Lineage) =>
      found[ids.indexOf(lineage.id)];
  return uploadPlace(facts, upload, {
    domain,
    own: ownNames(facts.names, domain.name, domains),
    uploads,
    current: at(currents),
    bindings: (lineage): readonly Binding[] => at(bound)(lineage) ?? [],
  });
}

function lineageOf(
  { facts, domain }: Upload,
  { label, names, successorOf }: UploadPlace,
  now: Instant,
): Lineage {
  return {
    id: successorOf?.id ?? `cert-${randomBytes(5).toString('hex')}`,
    source: 'upload',
    domain: domain.name,
    label,
    // Nobody orders it: there is no issuer, and no challenge to choose.
    wanted: { names, keyType: facts.keyType, issuers: [], challenge: 'http-01' },
    createdAt: successorOf?.createdAt ?? now,
    current: successorOf?.current,
    generations: successorOf?.generations ?? [],
  };
}

function certificateOf(
  { leafDer: _, chainDer: __, ...facts }: CertificateFacts,
  { id, generations, wanted }: Lineage,
  now: Instant,
): Certificate {
  const generation = (generations.at(-1) ?? 0) + 1;
  return { ...facts, lineage: id, generation, source: 'upload', issuedAt: now, wanted };
}

/** Also what showed the one before, and cannot show this one. */
async function affectedBy(
  {
    lineage,
    before,
    certificate,
  }: { lineage: Lineage; before: Certificate | undefined; certificate: Certificate },
  needs: UploadNeeds,
): ReturnType<typeof placesElsewhere> {
  const names = [...new Set([...certificate.names, ...(before?.names ?? [])])];
  const now = needs.clock.now();
  const [covered, elsewhere] = await Promise.all([
    placesCovered({ domain: lineage.domain, names, now }, needs),
    placesElsewhere(lineage, now, needs),
  ]);
  return [...covered, ...elsewhere];
}

interface Writing {
  readonly upload: Upload;
  readonly lineage: Lineage;
  readonly certificate: Certificate;
  readonly fence: Fence;
  readonly due: ReturnType<typeof deployAt>;
}

async function commit(
  { upload, lineage, certificate, fence, due }: Writing,
  needs: UploadNeeds,
): Promise<void> {
  const { facts, privateKey, staging, requestedBy } = upload;
  const { leafDer, chainDer } = facts;
  const { serial, notAfter, names, fingerprint, generation } = certificate;
  await editRenewal(lineage.id, needs, (before) => {
    const now = needs.clock.now();
    const state = heldState(before, certificate, needs.settings());
    const about = { domain: lineage.domain, lineage: lineage.id };
    const told = { serial, notAfter, names, fingerprint, generation, requestedBy };
    return {
      fence,
      putLineages: [lineage],
      generation: { certificate, leafDer, chainDer, privateKey },
      putRenewals: [state],
      due: [...dueOfLineage({ lineage, certificate, state, now }), ...due],
      events: [
        { type: 'certificate.uploaded', ...about, facts: told },
        ...recoveredEvents(before, certificate, lineage.domain),
      ],
      useStaging: { id: staging, lineage: lineage.id },
      durable: true,
    };
  });
}

/** What is remembered of an upload once it has this certificate: when its successor is wanted. */
export function heldState(
  { lineage, version, revoked }: RenewalState,
  certificate: Certificate,
  { renewalCeilingMs }: Settings,
): RenewalState {
  const renewAt = expiringFrom(certificate, renewalCeilingMs);
  return { lineage, version, revoked, renewAt, failures: 0, issuerFailures: {}, reminders: { count: 0 } };
}
