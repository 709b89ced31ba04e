import type { Certificate, Failure, Instant } from '../core/types.ts';
import type { CertificateShown } from '../operations/certs.ts';
import type { TargetView } from '../operations/targets.ts';
import { relative, when } from '../operations/words.ts';
import { facts, table } from './print.ts';

/** The text of `certs show`. */
export function renderCertificate(shown: CertificateShown): string {
  const { lineage, certificate, generations, targets, asOf } = shown;
  const at = (instant: Instant | undefined) => (instant === undefined ? undefined : when(instant, asOf));
  const about = facts([
    ['certificate', lineage.id],
    ['state', shown.state],
    ['names', (certificate?.names ?? lineage.wanted.names).join(', ')],
    ['issuer', certificate === undefined ? undefined : issuerOf(certificate)],
    ['key', certificate?.keyType ?? lineage.wanted.keyType],
    ['serial', certificate?.serial],
    ['fingerprint', certificate?.fingerprint],
    ['bound to', shown.bindings.join(', ')],
    ['valid from', at(certificate?.notBefore)],
    ['valid until', at(certificate?.notAfter)],
    ...renewalFacts(shown, at),
  ]);
  return [
    about,
    ...(generations.length === 0
      ? []
      : [
          table(
            ['GENERATION', 'SERIAL', 'ISSUER', 'EXPIRES'],
            generations.map((one) => generation(one, asOf)),
          ),
        ]),
    ...(targets.length === 0
      ? []
      : [
          table(
            ['TARGET', 'SEEN', 'STATE'],
            targets.map((one) => sight(one, asOf)),
          ),
        ]),
  ].join('\n');
}

function renewalFacts(
  { renewal, order, nextAt, lineage }: CertificateShown,
  at: (instant: Instant | undefined) => string | undefined,
): readonly (readonly [string, string | undefined])[] {
  const { lastFailure, failures, reminders } = renewal;
  return [
    ['unwanted since', at(lineage.unwantedSince)],
    ['revoked', at(renewal.revokedAt)],
    ['to be revoked', renewal.revoking?.map(({ serial, reason }) => `${serial} (${reason})`).join(', ')],
    ['renewal', at(renewal.renewAt)],
    ['order', order === undefined ? undefined : `at ${order.issuer} since ${at(order.startedAt)}`],
    ['failures', failures === 0 ? undefined : `${failures} since ${at(renewal.failingSince)}`],
    ['last error', lastFailure && errorText(lastFailure)],
    ['next action', at(nextAt)],
    ['silent until', at(reminders.silencedUntil)],
  ];
}

function errorText({ code, issuer, message }: Failure): string {
  return `${code}${issuer === undefined ? '' : ` at ${issuer}`}: ${message}`;
}

function generation(one: Certificate, now: Instant): readonly string[] {
  return [String(one.generation), one.serial, issuerOf(one), relative(one.notAfter, now)];
}

function sight(
  { target, shows, source, seenAt, failures, lastError }: TargetView,
  now: Instant,
): readonly string[] {
  const seen = seenAt === undefined ? 'nothing yet' : `${source}, ${relative(seenAt, now)}`;
  if (failures > 0) return [target, seen, lastError?.message ?? 'failing'];
  return [target, seen, shows === 'same' ? 'ok' : 'waits for its deployment'];
}

function issuerOf({ issuer, issuerName }: Certificate): string {
  return issuer === undefined ? issuerName : `${issuer} (${issuerName})`;
}
