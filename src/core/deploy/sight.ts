import { covers } from '../names.ts';
import type { Served, Sight } from '../ports.ts';
import type { Instant, KeyClass, LineageId } from '../types.ts';

/** What one address showed for one name, judged. */
export interface ProbeFinding {
  readonly name: string;
  /** `192.0.2.1:443` or `[2001:db8::1]:443`. */
  readonly address: string;
  /** Kind of key that was asked for; absent: any. */
  readonly keyClass?: KeyClass | undefined;
  /** unknown: it is not reached from here, which says nothing of what clients are shown. */
  readonly level: 'right' | 'amiss' | 'unknown';
  /** In words that follow the address. */
  readonly message: string;
  /** Of what was shown. */
  readonly fingerprint?: string | undefined;
  readonly notAfter?: Instant | undefined;
}

/** By fingerprint, the lineage that holds it. Any is right: a name may have an own certificate beside one that covers it. */
export type ExpectedCertificates = ReadonlyMap<string, LineageId>;

/** What should be seen. */
export interface Expected {
  readonly name: string;
  readonly keyClass?: KeyClass | undefined;
  readonly expected: ExpectedCertificates;
  /** SHA-256 of the last certificate that the CA delivered with what was shown: what stands above it clients have. */
  readonly top?: string | undefined;
  readonly now: Instant;
}

const day = 86_400_000;

/** Pure. */
export function judge(sight: Sight, expected: Expected): ProbeFinding {
  const about = { name: expected.name, address: sight.address, keyClass: expected.keyClass };
  switch (sight.kind) {
    case 'unreachable':
      return { ...about, level: 'unknown', message: `is not reached from here: ${sight.message}` };
    case 'refused':
      return { ...about, level: 'amiss', message: `shows nothing for ${expected.name}: ${sight.message}` };
    case 'served': {
      const { chain, notAfter } = sight.served;
      const fault = faultOf(sight.served, expected);
      const seen = { ...about, fingerprint: chain[0], notAfter };
      if (fault !== undefined) return { ...seen, level: 'amiss', message: fault };
      return { ...seen, level: 'right', message: rightWords(sight.served, expected.now) };
    }
  }
}

function faultOf(served: Served, { name, expected, top, now }: Expected): string | undefined {
  const { chain, names, issuerName, serial, notBefore, notAfter, missing } = served;
  if (!names.some((pattern) => covers(pattern, name)))
    return `shows a certificate for ${few(names)}, not for ${name}`;
  if (!expected.has(chain[0] ?? ''))
    return `shows another certificate than was deployed: ${served.isSelfSigned ? 'a self-signed one' : `one of ${issuerName}`} with serial number ${serial}, ${until(notAfter, now)}`;
  if (notAfter <= now) return `shows the certificate that was deployed, ${until(notAfter, now)}`;
  if (notBefore > now) return `shows the certificate that was deployed, not valid before ${date(notBefore)}`;
  if (missing === undefined || chain.at(-1) === top) return undefined;
  return `shows the certificate that was deployed without the intermediate certificate of ${missing}: clients that do not fetch it by themselves refuse it`;
}

function rightWords({ isSelfSigned, notAfter }: Served, now: Instant): string {
  return isSelfSigned
    ? `shows the self-signed fallback that was deployed, which browsers warn of, ${until(notAfter, now)}`
    : `shows the certificate that was deployed, with its chain, ${until(notAfter, now)}`;
}

function until(notAfter: Instant, now: Instant): string {
  if (notAfter <= now) return `which expired on ${date(notAfter)}`;
  const left = Math.floor((notAfter - now) / day);
  return `valid until ${date(notAfter)} (${left === 1 ? '1 day' : `${left} days`} left)`;
}

function date(at: Instant): string {
  return new Date(at).toISOString().slice(0, 10);
}

function few(names: readonly string[]): string {
  if (names.length === 0) return 'no name at all';
  // A stranger's certificate may have anything for a name.
  const shown = names
    .slice(0, 3)
    .map((name) => name.slice(0, 100).replace(/[^!-~]/g, '?'))
    .join(', ');
  return names.length > 3 ? `${shown} and ${names.length - 3} more` : shown;
}
