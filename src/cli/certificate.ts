import type { Certificate, Deployment, Instant } from '../core/types.ts';
import type { CertificateShown } from '../operations/certs.ts';
import { relative, when } from '../operations/words.ts';
import { facts, table } from './print.ts';

/** The text of `certs show`. */
export function renderCertificate(shown: CertificateShown): string {
  const { lineage, certificate, generations, deployments, asOf } = shown;
  const at = (instant: Instant | undefined) => (instant === undefined ? undefined : when(instant, asOf));
  const about = facts([
    ['certificate', lineage.id],
    ['state', shown.state],
    ['names', (certificate?.names ?? lineage.wanted.names).join(', ')],
    ['issuer', certificate === undefined ? undefined : issuerOf(certificate)],
    ['key', certificate?.keyType ?? lineage.wanted.keyType],
    ['serial', certificate?.serial],
    ['fingerprint', certificate?.fingerprint],
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
    ...(deployments.length === 0
      ? []
      : [
          table(
            ['TARGET', 'SEEN', 'STATE'],
            deployments.map((one) => deployment(one, asOf)),
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
    ['renewal', at(renewal.renewAt)],
    ['order', order === undefined ? undefined : `at ${order.issuer} since ${at(order.startedAt)}`],
    ['failures', failures === 0 ? undefined : `${failures} since ${at(renewal.failingSince)}`],
    ['last error', lastFailure === undefined ? undefined : `${lastFailure.code}: ${lastFailure.message}`],
    ['next action', at(nextAt)],
    ['silent until', at(reminders.silencedUntil)],
  ];
}

function generation(one: Certificate, now: Instant): readonly string[] {
  return [String(one.generation), one.serial, issuerOf(one), relative(one.notAfter, now)];
}

function deployment(
  { target, observed, failures, lastFailure }: Deployment,
  now: Instant,
): readonly string[] {
  const seen = observed === undefined ? '-' : `${observed.source}, ${relative(observed.at, now)}`;
  return [target, seen, failures === 0 ? 'ok' : (lastFailure?.message ?? 'failing')];
}

function issuerOf({ issuer, issuerName }: Certificate): string {
  return issuer === undefined ? issuerName : `${issuer} (${issuerName})`;
}
