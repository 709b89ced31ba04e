import { covers, isWildcard, parentOf } from '../names.ts';
import { keyClassOf, lineageId } from '../policies.ts';
import type { Change, Ports } from '../ports.ts';
import { deploymentId, editRenewal } from '../records.ts';
import { isHeld } from '../revocation/revoking.ts';
import type { Bundle, Certificate, Lineage, LineageId } from '../types.ts';
import { acquired } from './acquired.ts';
import type { Reason } from './decide.ts';
import { isSameCa } from './failover.ts';
import { type Held, type OutcomeNeeds, pointOf, settle } from './held.ts';
import { dueOfLineage } from './next-action.ts';
import { recoveredEvents } from './outcome.ts';
import { answered } from './request.ts';

export type ReuseNeeds = OutcomeNeeds & Pick<Ports, 'pki'>;

/** What is held, if anything, is not what is wanted. What is due, revoked or asked for has to be a new one. */
const reasons: readonly Reason[] = [
  'missing',
  'names-changed',
  'issuer-gone',
  'key-type-changed',
  'profile-changed',
];

/**
 * Before something is ordered for a new or changed wish: a certificate of the same domain that covers all its names, is
 * of the kind it wants and has a third of its life left becomes its own; its present one may do so too. Looks where such
 * a one would be, at the names and their wildcards, in one round trip: a domain may have thousands of lineages.
 */
export async function reuse(held: Held, reason: Reason, needs: ReuseNeeds): Promise<boolean> {
  if (!reasons.includes(reason)) return false;
  const ids = candidates(held.lineage);
  const found = await needs.certificates.currents(ids);
  const fit = found.filter((one) => one !== undefined && isFit(one, held.lineage, needs));
  for (const one of fit) {
    const bundle = one === undefined ? undefined : await usable(one, held, needs);
    if (bundle === undefined) continue;
    await take(held, bundle, needs);
    return true;
  }
  return false;
}

function candidates({ id, domain, wanted }: Lineage): readonly LineageId[] {
  const labels = wanted.names.flatMap((name) =>
    isWildcard(name) ? [name] : [name, `*.${name}`, `*.${parentOf(name)}`],
  );
  const ids = labels.map((label) => lineageId(`${domain}/${label}`, keyClassOf(wanted.keyType)));
  return [...new Set([id, ...ids])];
}

function isFit(one: Certificate, { wanted, id }: Lineage, { clock, settings }: ReuseNeeds): boolean {
  const now = clock.now();
  const { issuer, names, notBefore, notAfter } = one;
  const isOfKind =
    one.source === 'acme' &&
    one.keyType === wanted.keyType &&
    one.wanted.profile?.name === wanted.profile?.name &&
    issuer !== undefined &&
    wanted.issuers.includes(issuer) &&
    isSameCa(one.wanted, wanted, issuer);
  const isYoung = notAfter - now >= (notAfter - notBefore) / 3;
  // A short-lived one is renewed with more than a third of its life left.
  const isQuiet = pointOf({ ...one, lineage: id }, { settings }, undefined) > now;
  const isWhole = wanted.names.every((name) => names.some((pattern) => covers(pattern, name)));
  return isOfKind && isYoung && isQuiet && isWhole;
}

/** Not one that is revoked, is to be, or has a key that this lineage must not use. */
async function usable(
  one: Certificate,
  { state }: Held,
  { renewals, certificates, pki }: ReuseNeeds,
): Promise<Bundle | undefined> {
  const theirs = await renewals.get(one.lineage);
  const isDoomed = theirs.revoking?.some((entry) => isHeld(entry, one)) === true;
  if (theirs.revokedAt !== undefined || isDoomed) return undefined;
  const bundle = await certificates.bundle(one.lineage, one.generation);
  if (bundle === undefined) return undefined;
  const keyId = pki.keyId(bundle.privateKey);
  const isBad = [theirs, state].some(({ compromised }) => compromised?.includes(keyId) === true);
  return isBad ? undefined : bundle;
}

async function take(held: Held, bundle: Bundle, needs: ReuseNeeds): Promise<void> {
  const { lineage, domain, fence } = held;
  const now = needs.clock.now();
  const certificate: Certificate = {
    ...bundle.certificate,
    lineage: lineage.id,
    generation: (lineage.generations.at(-1) ?? 0) + 1,
    wanted: lineage.wanted,
    // Only one order may say that it replaces a certificate (RFC 9773 §5), and that is its first holder's.
    account: bundle.certificate.lineage === lineage.id ? bundle.certificate.account : undefined,
  };
  const targets = domain.deploy.map((target) => deploymentId(target, lineage.id));
  await editRenewal(lineage.id, needs, (state): Change => {
    const requested = answered(state, held.state);
    const next = acquired(state, { lineage, certificate, requested, now }, needs);
    const due = dueOfLineage({ lineage, certificate, state: next, now });
    const { serial, issuer, notAfter, names } = certificate;
    const from = bundle.certificate.lineage;
    const facts = { reason: 'reused', from, serial, issuer, notAfter, names };
    return {
      fence,
      generation: { ...bundle, certificate },
      putRenewals: [next],
      due: [...due, ...targets.map((id) => ({ job: 'deploy' as const, id, at: now }))],
      events: [
        { type: 'certificate.issued', domain: lineage.domain, lineage: lineage.id, facts },
        ...recoveredEvents(state, certificate, lineage.domain),
      ],
      durable: true,
    };
  });
  needs.log.info(
    { lineage: lineage.id, from: bundle.certificate.lineage, serial: certificate.serial },
    'a certificate that is held does; nothing was ordered',
  );
  await needs.jobs.wake('deploy', targets);
  await settle(held, { state: 'done', note: certificate.serial }, needs);
}
