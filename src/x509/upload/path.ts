import type { Instant } from '../../core/types.ts';
import type { ParsedCertificate } from '../certificate.ts';
import { isRoot, isSignedBy, longestChain, skewMs } from '../chain.ts';
import { isOfPublicRoot } from '../roots.ts';
import { refuse } from './refuse.ts';

/** The certificates from the one that issued the leaf upwards, as servers present them. */
export interface Path {
  readonly chain: readonly ParsedCertificate[];
  /** The root that was given ends the path; servers do not send it. */
  readonly root?: ParsedCertificate | undefined;
  /** The last one, where what issued it was neither given nor is a root that browsers know. */
  readonly open?: ParsedCertificate | undefined;
}

/**
 * Finds the issuers of the leaf among what was given, in whatever order. Throws `command.invalid` where the issuer is
 * there and is none: expired, not of a CA, or with another key than the one that signed.
 */
export function findPath(leaf: ParsedCertificate, given: readonly ParsedCertificate[], now: Instant): Path {
  const chain: ParsedCertificate[] = [];
  for (let below = leaf; ; ) {
    const issuer = issuerOf(below, given, now);
    if (issuer === 'known root') return { chain };
    if (issuer === undefined) return { chain, open: below };
    if (isRoot(issuer)) return { chain, root: issuer };
    if (chain.includes(issuer)) throw refuse('the certificates of the chain issue each other in a circle');
    if (chain.length === longestChain) throw refuse(`the chain has more than ${longestChain} certificates`);
    chain.push(issuer);
    below = issuer;
  }
}

function issuerOf(
  below: ParsedCertificate,
  given: readonly ParsedCertificate[],
  now: Instant,
): ParsedCertificate | 'known root' | undefined {
  const named = given.filter((one) => one !== below && one.subject.equals(below.issuer));
  const issuers = named.filter((one) => one.isCa && isSignedBy(below, one));
  const valid = issuers.filter((one) => isValid(one, now));
  // A root may be given beside the same one signed by an older root: clients that know neither root need the latter.
  const [best] = [...valid.filter((one) => !isRoot(one)), ...valid];
  if (best !== undefined) return best;
  if (isOfPublicRoot(below)) return 'known root';
  const [expired] = issuers;
  if (expired !== undefined) throw refuse(whyNotValid(expired, now));
  const [stranger] = named;
  if (stranger === undefined) return undefined;
  throw refuse(
    stranger.isCa
      ? `the chain's certificate of ${stranger.subjectName} did not issue that of ${below.subjectName}: it has the same name and another key`
      : `the chain's certificate of ${stranger.subjectName} is not that of a CA, and cannot have issued that of ${below.subjectName}`,
  );
}

export function isValid({ notBefore, notAfter }: ParsedCertificate, now: Instant): boolean {
  return now >= notBefore - skewMs && now < notAfter;
}

function whyNotValid({ subjectName, notBefore, notAfter }: ParsedCertificate, now: Instant): string {
  return notAfter <= now
    ? `the chain's certificate of ${subjectName} expired at ${new Date(notAfter).toISOString()}; take the present chain of your CA`
    : `the chain's certificate of ${subjectName} is not valid before ${new Date(notBefore).toISOString()}`;
}
