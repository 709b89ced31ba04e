import { rootCertificates } from 'node:tls';
import { type ParsedCertificate, readCertificate } from './certificate.ts';
import { isSignedBy } from './chain.ts';
import { readPem } from './pem.ts';

let bySubject: ReadonlyMap<string, readonly ParsedCertificate[]> | undefined;

/** Whether a root that browsers know, as Node ships them, issued the certificate. */
export function isOfPublicRoot(certificate: ParsedCertificate): boolean {
  bySubject ??= readRoots();
  const named = bySubject.get(certificate.issuer.toString('hex')) ?? [];
  return named.some((root) => isSignedBy(certificate, root));
}

function readRoots(): ReadonlyMap<string, readonly ParsedCertificate[]> {
  const found = new Map<string, ParsedCertificate[]>();
  for (const der of rootCertificates.flatMap((pem) => readPem(pem))) {
    const root = readCertificate(der);
    const subject = root.subject.toString('hex');
    found.set(subject, [...(found.get(subject) ?? []), root]);
  }
  return found;
}
