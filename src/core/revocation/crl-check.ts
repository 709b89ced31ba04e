import { isAgentError } from '../errors.ts';
import type { Change, CrlQuery, Crls, Pki, Ports, RevokedEntry } from '../ports.ts';
import { editRenewal } from '../records.ts';
import { dueOfLineage } from '../renewal/next-action.ts';
import type { Certificate, RenewalState } from '../types.ts';
import { yieldingDeployments } from './revocation.ts';

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
  const waiting = [...(await byList(needs))];
  const worker = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift())
      await checkList(next, needs, signal);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

/** Certificates that one list speaks of: of the same place and the same CA. */
async function byList({ certificates, clock }: CrlNeeds): Promise<readonly (readonly Certificate[])[]> {
  const lineages = (await certificates.lineages()).filter(({ source }) => source === 'acme');
  const currents = await certificates.currents(lineages.map(({ id }) => id));
  const now = clock.now();
  const groups = new Map<string, Certificate[]>();
  for (const one of currents) {
    if (one?.crlUrl === undefined || one.notAfter <= now) continue;
    const list = `${one.issuerName} ${one.crlUrl}`;
    groups.set(list, [...(groups.get(list) ?? []), one]);
  }
  return [...groups.values()];
}

async function checkList(group: readonly Certificate[], needs: CrlNeeds, signal: AbortSignal): Promise<void> {
  const query = await queryFor(group, needs);
  if (query === undefined) return;
  const found = async (revoked: readonly RevokedEntry[]) => {
    const entries = new Map(revoked.map((entry) => [entry.serial, entry]));
    for (const certificate of group) {
      const entry = entries.get(certificate.serial);
      if (entry !== undefined) await markRevoked(certificate, entry, needs);
    }
  };
  try {
    await needs.crls.look(query, found, signal);
  } catch (err) {
    if (signal.aborted || isAgentError(err, 'store.unavailable')) throw err;
    needs.log.warn({ url: query.url, err }, 'a list of revoked certificates cannot be used');
  }
}

async function queryFor(
  group: readonly Certificate[],
  { certificates }: CrlNeeds,
): Promise<CrlQuery | undefined> {
  const [first] = group;
  const bundle = first && (await certificates.bundle(first.lineage, first.generation));
  const [issuerDer] = bundle?.chainDer ?? [];
  if (first?.crlUrl === undefined || issuerDer === undefined) return undefined;
  return { url: first.crlUrl, issuerDer, serials: group.map(({ serial }) => serial) };
}

/** Its CA revoked it: a new one is ordered at once, and people hear of it. */
async function markRevoked(seen: Certificate, entry: RevokedEntry, needs: CrlNeeds): Promise<void> {
  const { lineage: id, serial } = seen;
  const [lineage, bundle] = await Promise.all([
    needs.certificates.lineage(id),
    needs.certificates.bundle(id, seen.generation),
  ]);
  const domain = lineage === undefined ? undefined : await needs.wishes.domain(lineage.domain);
  if (lineage === undefined || bundle === undefined) return;
  const bad = entry.reason === 'keyCompromise' ? [needs.pki.keyId(bundle.privateKey)] : [];
  let isNews = false;
  await editRenewal(id, needs, async (state): Promise<Change | undefined> => {
    const certificate = await needs.certificates.certificate(id);
    isNews = state.revokedAt === undefined && certificate?.fingerprint === seen.fingerprint;
    if (!isNews || certificate === undefined) return undefined;
    const now = needs.clock.now();
    const compromised = [...new Set([...(state.compromised ?? []), ...bad])];
    const next: RenewalState = {
      ...state,
      revokedAt: now,
      retryAt: undefined,
      compromised: compromised.length === 0 ? undefined : compromised,
    };
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
