import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Runs openssl in an empty folder with the input given as file `in`; returns what it prints, or what it wrote into the
 * file `out` in base64.
 */
export function openssl(args: readonly string[], input: string | Uint8Array = '', out?: string): string {
  return inFolder((folder) => {
    writeFileSync(join(folder, 'in'), input);
    const printed = run(folder, args);
    return out === undefined ? printed : readFileSync(join(folder, out), 'base64');
  });
}

export interface OpensslCa {
  readonly pem: string;
  readonly keyPem: string;
}

export interface IssueOptions {
  readonly days?: number;
  /** Lines of an openssl extension section. */
  readonly extensions?: readonly string[];
  /** Hexadecimal. */
  readonly serial?: string;
}

const caExtensions = ['basicConstraints=critical,CA:true', 'subjectKeyIdentifier=hash'];

export function makeRoot(name: string, days = 3650): OpensslCa {
  return inFolder((folder) => {
    run(folder, [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-384', '-nodes', '-utf8'],
      ...['-keyout', 'key', '-out', 'cert', '-subj', `/O=Test/CN=${name}`, '-days', String(days)],
    ]);
    return {
      pem: readFileSync(join(folder, 'cert'), 'utf8'),
      keyPem: readFileSync(join(folder, 'key'), 'utf8'),
    };
  });
}

/** A CA below another; `key`: that of an existing one. */
export function makeCa(
  name: string,
  issuer: OpensslCa,
  options: IssueOptions & { readonly keyPem?: string } = {},
) {
  return inFolder((folder) => {
    if (options.keyPem === undefined) run(folder, ['genrsa', '-out', 'key', '2048']);
    else writeFileSync(join(folder, 'key'), options.keyPem);
    run(folder, [
      'req',
      '-new',
      '-key',
      'key',
      '-out',
      'csr',
      '-outform',
      'DER',
      '-subj',
      `/O=Test/CN=${name}`,
    ]);
    const csr = readFileSync(join(folder, 'csr'));
    return {
      pem: sign(csr, issuer, { extensions: caExtensions, ...options }),
      keyPem: readFileSync(join(folder, 'key'), 'utf8'),
    };
  });
}

/** PEM of a certificate for a request. */
export function sign(csrDer: Uint8Array, issuer: OpensslCa, options: IssueOptions = {}): string {
  return inFolder((folder) => {
    writeFileSync(join(folder, 'csr'), csrDer);
    writeFileSync(join(folder, 'ca'), issuer.pem);
    writeFileSync(join(folder, 'ca.key'), issuer.keyPem);
    writeFileSync(join(folder, 'ext'), (options.extensions ?? []).join('\n'));
    return run(folder, [
      ...['x509', '-req', '-inform', 'DER', '-in', 'csr', '-CA', 'ca', '-CAkey', 'ca.key'],
      ...['-set_serial', `0x${options.serial ?? '0087654321'}`, '-days', String(options.days ?? 90)],
      ...(options.extensions === undefined ? ['-copy_extensions', 'copy'] : ['-extfile', 'ext']),
    ]);
  });
}

export interface CrlOptions {
  /** Hexadecimal serial numbers, of an even number of upper-case digits. */
  readonly revoked?: readonly (readonly [serial: string, reason: string])[];
  /** Lines of an openssl extension section. */
  readonly extensions?: readonly string[];
  readonly hours?: number;
  readonly md?: string;
  /** Of the signature: rsa_padding_mode:pss and the like. */
  readonly sigopt?: readonly string[];
}

/** PEM of a list of revoked certificates. */
export function makeCrl(issuer: OpensslCa, options: CrlOptions = {}): string {
  const { revoked = [], extensions = [], hours = 24, md = 'sha256', sigopt = [] } = options;
  return inFolder((folder) => {
    const lines = revoked.map(
      ([serial, reason]) => `R\t291231235959Z\t261101000000Z,${reason}\t${serial}\tunknown\t/CN=x\n`,
    );
    const settings = [
      ...['[ca]', 'default_ca=own', '[own]', 'database=index', 'crlnumber=number', `default_md=${md}`],
      ...['crl_extensions=ext', '[ext]', 'authorityKeyIdentifier=keyid', ...extensions],
    ];
    writeFileSync(join(folder, 'ca'), issuer.pem);
    writeFileSync(join(folder, 'ca.key'), issuer.keyPem);
    writeFileSync(join(folder, 'index'), lines.join(''));
    writeFileSync(join(folder, 'number'), '01\n');
    writeFileSync(join(folder, 'conf'), settings.join('\n'));
    run(folder, [
      ...['ca', '-gencrl', '-config', 'conf', '-cert', 'ca', '-keyfile', 'ca.key'],
      ...['-crlhours', String(hours), '-out', 'crl'],
      ...sigopt.flatMap((option) => ['-sigopt', option]),
    ]);
    return readFileSync(join(folder, 'crl'), 'utf8');
  });
}

function run(folder: string, args: readonly string[]): string {
  return execFileSync('openssl', args, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

function inFolder<T>(work: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'acme-agent-openssl-'));
  try {
    return work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
