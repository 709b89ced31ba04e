import { z } from 'zod';
import { AgentError, isAgentError, toAgentError } from '../core/errors.ts';
import type { Certificate, Domain, HandedIn, Instant, KeyType, Lineage } from '../core/types.ts';
import { ownNames, storeUpload } from '../core/uploads/upload.ts';
import { type MissingIssuer, type ReadUpload, readUpload, requireWhole } from '../x509/upload/read.ts';
import { type Caller, defineOperation, type OperationNeeds } from './define.ts';
import { certificateName, domainName, hostName } from './fields.ts';
import { findLineages } from './lineages.ts';
import { likelyDomain, noSuchDomain, refuseDisabled, requireDomainFor } from './refusals.ts';
import { listed } from './words.ts';

export { mostUploadBytes } from '../x509/upload/read.ts';

/** A certificate that was handed in and is held now. */
export interface CertificateAdded {
  readonly id: string;
  readonly domain: string;
  readonly names: readonly string[];
  readonly generation: number;
  readonly expiresAt: Instant;
  readonly issuer: string;
  readonly keyType: KeyType;
  readonly serial: string;
  /** The very same one was there already. */
  readonly isOld?: boolean | undefined;
  /** What was put right in it, a sentence each. */
  readonly notes: readonly string[];
}

interface Input {
  readonly staging: string;
  readonly domain?: string | undefined;
  readonly name?: string | undefined;
  readonly replace?: string | undefined;
  readonly force?: boolean | undefined;
}

export const certsAdd = defineOperation({
  name: 'certs.add',
  kind: 'write',
  method: 'POST',
  path: '/certificates/uploads',
  scope: 'operate',
  summary: 'Takes a certificate with its key and chain, and shows it for its names of one domain.',
  input: z.strictObject({
    staging: z.string().min(1).max(100).describe('Id under which the files were staged'),
    domain: domainName.optional().describe('Domain that it is for, where its names lie under several'),
    name: hostName.optional().describe('The one name that it is for; else it is for all that it has'),
    replace: certificateName.optional().describe('Id of the uploaded certificate that it succeeds'),
    force: z.boolean().optional().describe('Also if it covers less than the domain or its predecessor'),
  }),
  run: async (input, needs, caller): Promise<CertificateAdded> => {
    const staged = await needs.staging.get(input.staging);
    if (staged === undefined)
      throw new AgentError(
        'command.notFound',
        `nothing is staged as ${input.staging}: it is kept for 15 minutes, and gone once it was refused; hand the files in anew`,
      );
    if ('usedFor' in staged) return usedBefore(staged.usedFor, needs, caller);
    try {
      return await add(input, staged.files, needs, caller);
    } catch (error) {
      // What is refused is not kept; what could not be done now may be tried again.
      if (isRefusal(error)) await needs.changes.commit({ dropStaging: input.staging });
      throw error;
    }
  },
});

async function add(
  input: Input,
  files: HandedIn,
  needs: OperationNeeds,
  { requestedBy }: Caller,
): Promise<CertificateAdded> {
  const { name, force = false, staging } = input;
  const { facts, privateKey, notes } = await readWhole(files, needs);
  const replace = input.replace === undefined ? undefined : await uploadNamed(input.replace, needs);
  const domain = await domainOf(facts.names, { input, replace }, needs);
  refuseDisabled(domain);
  const upload = { facts, privateKey, domain, staging, name, replace, force, requestedBy };
  const { certificate, isOld } = await storeUpload(upload, needs);
  return { ...answerOf(certificate, domain.name), isOld: isOld || undefined, notes };
}

/** A run of this command that was cut off did it. */
async function usedBefore(
  lineage: string,
  { certificates }: OperationNeeds,
  { isRepeat }: Caller,
): Promise<CertificateAdded> {
  const [held, certificate] = await Promise.all([
    certificates.lineage(lineage),
    certificates.certificate(lineage),
  ]);
  if (isRepeat === true && held !== undefined && certificate !== undefined)
    return { ...answerOf(certificate, held.domain), notes: [] };
  throw new AgentError('command.conflict', `these files were taken already, as ${lineage}`);
}

const mostFetches = 4;
const fetchMs = 30_000;

/** With the issuers that are missing, as far as they may be fetched. Throws with what is missing still. */
async function readWhole(files: HandedIn, needs: OperationNeeds): Promise<ReadUpload> {
  const now = needs.clock.now();
  const more: Uint8Array[] = [];
  let read = readUpload(files, { now });
  for (let left = mostFetches; left > 0 && read.missing?.url !== undefined; left--) {
    if (needs.settings().fetchesIssuers !== true) break;
    more.push(...(await fetchIssuer(read.missing, needs)));
    read = readUpload(files, { now, more });
  }
  requireWhole(read);
  const fetched = more.length === 0 ? [] : ['What was missing in the chain was fetched.'];
  return { ...read, notes: [...fetched, ...read.notes] };
}

async function fetchIssuer(missing: MissingIssuer, needs: OperationNeeds): Promise<readonly Uint8Array[]> {
  const { url = '', issuerName } = missing;
  const deadline = new AbortController();
  const cancel = needs.clock.after(fetchMs, () =>
    deadline.abort(new AgentError('net.failed', 'it took too long')),
  );
  try {
    const found = await needs.issuerCertificates.fetch(url, deadline.signal);
    if (found.length > 0) return found;
    throw new AgentError('net.failed', 'nothing is there');
  } catch (error) {
    const { message } = toAgentError(error);
    throw new AgentError(
      'command.invalid',
      `the chain is not whole: the certificate of ${issuerName} is missing, and could not be fetched: ${message}; add it to the chain`,
    );
  } finally {
    cancel();
  }
}

async function uploadNamed(id: string, needs: OperationNeeds): Promise<Lineage> {
  const [first, ...others] = (await findLineages(id, needs)).filter(({ source }) => source === 'upload');
  if (first !== undefined && others.length === 0) return first;
  throw new AgentError(
    'command.conflict',
    first === undefined
      ? `${id} was not uploaded, so no upload can succeed it; leave replace out`
      : `${id} has several uploads; name one of: ${[first, ...others].map((one) => one.id).join(', ')}`,
  );
}

/** The one that was said, that of the certificate that it succeeds, or the only one that its names lie under. */
async function domainOf(
  names: readonly string[],
  { input, replace }: { readonly input: Input; readonly replace: Lineage | undefined },
  needs: OperationNeeds,
): Promise<Domain> {
  const domains = await needs.wishes.domains();
  const said = input.domain ?? replace?.domain;
  if (said !== undefined) {
    const domain = domains.find((one) => one.name === said);
    if (domain === undefined) throw noSuchDomain(said, domains);
    if (ownNames(names, said, domains).length > 0) return domain;
    throw new AgentError(
      'command.invalid',
      `the certificate has no name under ${said}: it is for ${listed(names)}`,
    );
  }
  if (input.name !== undefined) return requireDomainFor(input.name, needs);
  const found = domains.filter(({ name }) => ownNames(names, name, domains).length > 0);
  const [only, ...others] = found;
  if (only !== undefined && others.length === 0) return only;
  const [first = ''] = names;
  throw only === undefined
    ? new AgentError(
        'command.notFound',
        `no domain is configured for ${listed(names)}; add it first: "domains add ${likelyDomain(first)} --mode custom"`,
      )
    : new AgentError(
        'command.invalid',
        `its names lie under several domains: ${found.map(({ name }) => name).join(', ')}; say which domain it is for, and bind the names of the others`,
      );
}

function answerOf(certificate: Certificate, domain: string): Omit<CertificateAdded, 'notes' | 'isOld'> {
  const { lineage, names, generation, notAfter, issuerName, keyType, serial } = certificate;
  return { id: lineage, domain, names, generation, expiresAt: notAfter, issuer: issuerName, keyType, serial };
}

function isRefusal(error: unknown): boolean {
  return isAgentError(error) && error.code.startsWith('command.');
}
