import { AgentError } from '../core/errors.ts';
import type { CertificateFacts, Clock, Pki } from '../core/ports.ts';
import type { Domain } from '../core/types.ts';
import type { Arrival } from '../core/wishes/import-place.ts';
import { readCertificate } from '../x509/certificate.ts';
import { readPem } from '../x509/pem.ts';
import type { FoundCertificate } from './found.ts';
import { type IssuerChoice, issuerAt } from './issuers.ts';

/** A certificate that is whole and valid, and the domain it lies in or will. */
export interface Candidate extends Arrival {
  readonly found: FoundCertificate;
  readonly facts: CertificateFacts;
  readonly domain: string;
}

export interface ExamineNeeds {
  readonly choice: IssuerChoice;
  readonly pki: Pki;
  readonly clock: Clock;
  /** The longest domain that all names lie under. */
  readonly domainFor: (names: readonly string[]) => Promise<Domain | undefined>;
  /** The name under the public suffix. */
  readonly registeredDomain: (name: string) => string;
}

/** Throws an AgentError with why it cannot be taken. */
export async function examine(found: FoundCertificate, needs: ExamineNeeds): Promise<Candidate> {
  const { choice, pki, clock } = needs;
  const names = namesOf(found.chainPem);
  const expected = { names, privateKey: found.privateKey, now: clock.now() };
  const facts = pki.readIssued(found.chainPem, expected);
  if (facts.chainDer.length === 0)
    throw refusal('it is self-signed, or the certificate of its CA is not with it');
  const issuer = issuerAt(found.server, choice);
  return { found, facts, names, issuer, keyType: facts.keyType, domain: await domainOf(names, needs) };
}

function namesOf(chainPem: string): readonly string[] {
  const [leaf] = readPem(chainPem);
  if (leaf === undefined) throw refusal('there is no certificate in the file');
  try {
    return readCertificate(leaf).names;
  } catch {
    throw refusal('what is in the file is not an X.509 certificate');
  }
}

async function domainOf(names: readonly string[], needs: ExamineNeeds): Promise<string> {
  const known = await needs.domainFor(names);
  if (known !== undefined) return known.name;
  const domains = [...new Set(names.map(needs.registeredDomain))];
  const [domain, ...others] = domains;
  if (domain !== undefined && others.length === 0) return domain;
  throw refusal(
    `its names lie under different domains (${domains.join(', ')}), and here a certificate belongs to one`,
  );
}

function refusal(message: string): AgentError {
  return new AgentError('command.conflict', message);
}
