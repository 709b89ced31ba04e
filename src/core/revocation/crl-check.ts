import { isAgentError } from '../errors.ts';
import { editHeld } from '../held-lineages.ts';
import type { Change, Crls, IssuedSerials, Pki, Ports, RevokedEntry } from '../ports.ts';
import { dueOfLineage } from '../renewal/next-action.ts';
import { inParallel } from '../together.ts';
import type { Certificate, RenewalState } from '../types.ts';
import { withRevoked, yieldingDeployments } from './revocation.ts';

export type CrlNeeds = Pick<
  Ports,
  'wishes' | 'certificates' | 'renewals' | 'changes' | 'jobs' | 'clock' | 'log'
> & { readonly crls: Crls; readonly pki: Pick<Pki, 'keyId'> };

/** Lists fetched at a time. */
const atOnce = 4;

/**
 * Looks for all certificates that are held in the lists of what their CAs revoked. One found there is replaced at once.
 * A list that cannot be had, or is not what it should be, is looked at again the next time.
 */
export async function checkRevocations(needs: CrlNeeds, signal: AbortSignal): Promise<void> {
  await inParallel(await places(needs), atOnce, (place) => checkPlace(place, needs, signal));
}

/** Where lists are published, with the certificates that each speaks of, by the CA that issued them. */
interface Place {
  readonly url: string;
  readonly byIssuer: readonly (readonly Certificate[])[];
}

async function places({ certificates, clock }: CrlNeeds): Promise<readonly Place[]> {
  const lineages = (await certificates.lineages()).filter(({ source }) => source === 'acme');
  const currents = await certificates.currents(lineages.map(({ id }) => id));
  const now = clock.now();
  const found = new Map<string, Map<string, Certificate[]>>();
  for (const one of currents) {
    if (one?.crlUrl === undefined || one.notAfter <= now) continue;
    const byIssuer = found.get(one.crlUrl) ?? new Map<string, Certificate[]>();
    const issued = byIssuer.get(issuerMark(one)) ?? [];
    issued.push(one);
    byIssuer.set(issuerMark(one), issued);
    found.set(one.crlUrl, byIssuer);
  }
  return [...found].map(([url, byIssuer]) => ({ url, byIssuer: [...byIssuer.values()] }));
}

/** A CA by its name and its key: a new key of the same CA signs lists of its own. */
function issuerMark({ issuerName, ariCertId = '' }: Certificate): string {
  return `${issuerName} ${ariCertId.split('.', 1)[0]}`;
}

async function checkPlace({ url, byIssuer }: Place, needs: CrlNeeds, signal: AbortSignal): Promise<void> {
  const asked = await Promise.all(byIssuer.map((issued) => askedOf(issued, needs)));
  const known = asked.filter((one) => one !== undefined);
  if (known.length === 0) return;
  const found = async (revoked: readonly RevokedEntry[], { issuerDer }: IssuedSerials) => {
    const entries = new Map(revoked.map((entry) => [entry.serial, entry]));
    for (const certificate of known.find((one) => one.issuerDer === issuerDer)?.issued ?? []) {
      const entry = entries.get(certificate.serial);
      if (entry !== undefined) await markRevoked(certificate, entry, needs);
    }
  };
  try {
    await needs.crls.look({ url, issued: known }, found, signal);
  } catch (err) {
    if (signal.aborted || isAgentError(err, 'store.unavailable')) throw err;
    needs.log.warn({ url, err }, 'a list of revoked certificates cannot be used');
  }
}

interface Asked extends IssuedSerials {
  readonly issued: readonly Certificate[];
}

/** undefined: the certificate of the CA is not held. */
async function askedOf(
  issued: readonly Certificate[],
  { certificates }: CrlNeeds,
): Promise<Asked | undefined> {
  const [first] = issued;
  const bundle = first && (await certificates.bundle(first.lineage, first.generation));
  const [issuerDer] = bundle?.chainDer ?? [];
  return issuerDer && { issued, issuerDer, serials: issued.map(({ serial }) => serial) };
}

/** Its CA revoked it: a new one is ordered at once, and people hear of it. */
async function markRevoked(seen: Certificate, entry: RevokedEntry, needs: CrlNeeds): Promise<void> {
  const { lineage: id, serial } = seen;
  const bundle = await needs.certificates.bundle(id, seen.generation);
  if (bundle === undefined) return;
  const bad = entry.reason === 'keyCompromise' ? [needs.pki.keyId(bundle.privateKey)] : [];
  let isNews = false;
  await editHeld(id, needs, async ({ lineage, state, certificate }): Promise<Change | undefined> => {
    isNews = state.revokedAt === undefined && certificate?.fingerprint === seen.fingerprint;
    if (!isNews || certificate === undefined) return undefined;
    const now = needs.clock.now();
    const compromised = [...new Set([...(state.compromised ?? []), ...bad])];
    const next: RenewalState = {
      ...state,
      revokedAt: now,
      revoked: withRevoked(state, certificate.fingerprint),
      retryAt: undefined,
      compromised: compromised.length === 0 ? undefined : compromised,
    };
    const domain = await needs.wishes.domain(lineage.domain);
    const deploy = yieldingDeployments({ lineage, domain, certificate }, next);
    const { issuer, notAfter, names } = certificate;
    const message = `${issuer ?? certificate.issuerName} revoked ${serial} on ${new Date(entry.revokedAt).toISOString().slice(0, 10)}, reason: ${entry.reason}`;
    // What nobody asks for any more is marked, so that it is not used again.
    const tell = lineage.unwantedSince === undefined;
    const facts = { serial, issuer, notAfter, names, reason: entry.reason, message, tell };
    return {
      putRenewals: [next],
      due: [...dueOfLineage({ lineage, certificate, state: next, now }), ...deploy],
      events: [{ type: 'certificate.revoked', domain: lineage.domain, lineage: id, facts }],
    };
  });
  if (!isNews) return;
  needs.log.warn({ lineage: id, serial, reason: entry.reason }, 'the CA revoked a certificate that is held');
  await needs.jobs.wake('issue', [id]);
}
