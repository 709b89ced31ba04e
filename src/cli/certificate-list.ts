import type { BindingList } from '../operations/bindings.ts';
import type { CertificateList } from '../operations/certs.ts';
import { relative } from '../operations/words.ts';
import { table } from './print.ts';

/** The text of `certs list`. */
export function renderCertificates({ certificates, asOf, names, hasMore }: CertificateList): string {
  const last = certificates.at(-1);
  const more = hasMore === true && last !== undefined ? `more: --after ${last.id}\n` : '';
  if (names === true) return commonNames(certificates) + more;
  const rows = certificates.map(({ id, domain, expiresAt, issuer, state }) => [
    id,
    domain,
    expiresAt === undefined ? '-' : relative(expiresAt, asOf),
    issuer ?? '-',
    state,
  ]);
  return table(['ID', 'DOMAIN', 'EXPIRES', 'ISSUER', 'STATE'], rows) + more;
}

/** The text of `bindings`. */
export function renderBindings({ bindings, asOf }: BindingList): string {
  if (bindings.length === 0) return 'nothing is bound\n';
  const rows = bindings.map(({ name, certificates, domain, expiresAt, state }) => [
    name,
    certificates.join(','),
    domain ?? '-',
    `${expiresAt === undefined ? '-' : relative(expiresAt, asOf)}${state === 'lapsed' ? ' (LAPSED)' : ''}`,
  ]);
  return table(['TARGET', 'CERTIFICATE', 'DOMAIN', 'EXPIRES'], rows);
}

const gap = ' '.repeat(5);
const headers = ['Common Name', 'Expires'] as const;

/** A line for each name, as `2026-11-21T10:32:05UTC`. */
function commonNames(certificates: CertificateList['certificates']): string {
  const rows = certificates.flatMap(({ names, expiresAt }) =>
    names.map((name) => [name, expiresAt === undefined ? '' : utc(expiresAt)] as const),
  );
  if (rows.length === 0) return 'No certs\n';
  const [name, expires] = headers;
  const rule = [name.replace(/./g, '-'), expires.replace(/./g, '-')] as const;
  const width = Math.max(...[headers, ...rows].map(([first]) => first.length));
  const lines = [headers, rule, ...rows].map(([first, second]) =>
    `${first.padEnd(width)}${gap}${second}`.trimEnd(),
  );
  return lines.map((line) => `${line}\n`).join('');
}

function utc(instant: number): string {
  return `${new Date(instant).toISOString().slice(0, 19)}UTC`;
}
