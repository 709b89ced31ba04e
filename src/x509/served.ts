import type { Served } from '../core/ports.ts';
import { type ParsedCertificate, readCertificate, sha256 } from './certificate.ts';
import { isRoot, isSignedBy, longestChain } from './chain.ts';
import { isOfPublicRoot } from './roots.ts';

/**
 * What a server showed, leaf first, as a client sees it that knows the roots of browsers and nothing else: an
 * intermediate that is not there is missing, wherever it may be had. Throws RangeError when the leaf is no certificate.
 */
export function servedFacts(shown: readonly Uint8Array[]): Served {
  const [first, ...rest] = shown.slice(0, longestChain);
  if (first === undefined) throw new RangeError('no certificate was shown');
  const leaf = readCertificate(first);
  const chain = chainAbove(leaf, rest.flatMap(readIfSound));
  const last = chain.at(-1) ?? leaf;
  const isWhole = isRoot(last) || chain.some(isOfPublicRoot);
  return {
    chain: chain.filter((one) => one === leaf || !isRoot(one)).map(({ der }) => sha256(der)),
    names: leaf.names,
    serial: leaf.serial,
    issuerName: leaf.issuerName,
    isSelfSigned: isRoot(leaf) && isSignedBy(leaf, leaf),
    notBefore: leaf.notBefore,
    notAfter: leaf.notAfter,
    missing: isWhole ? undefined : last.issuerName,
  };
}

/** The leaf and what issued it, and so on, as far as that was shown. */
function chainAbove(
  leaf: ParsedCertificate,
  others: readonly ParsedCertificate[],
): readonly ParsedCertificate[] {
  const chain = [leaf];
  for (let below = leaf; !isRoot(below); ) {
    const issuer = others.find(
      (one) => one.isCa && !chain.includes(one) && one.subject.equals(below.issuer) && isSignedBy(below, one),
    );
    if (issuer === undefined) break;
    chain.push(issuer);
    below = issuer;
  }
  return chain;
}

function readIfSound(der: Uint8Array): readonly ParsedCertificate[] {
  try {
    return [readCertificate(der)];
  } catch {
    return [];
  }
}
