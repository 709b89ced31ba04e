import type { HandedIn } from '../../src/core/types.ts';
import type { CertificateAdded } from '../../src/operations/certs-add.ts';
import { certsAdd } from '../../src/operations/certs-add.ts';
import type { Caller } from '../../src/operations/define.ts';
import { type Forged, type ForgeOptions, forge, keyPem } from '../support/forge.ts';
import { handIn, intermediate, root } from '../x509/upload/pki.ts';
import { bench } from './fixture.ts';

export const chainPem = intermediate.pem + root.pem;

/** A certificate of a CA of the tests, which clients of it trust. */
export function issued(names: readonly string[], more: Partial<ForgeOptions> = {}): Forged {
  return forge({ subject: names[0] ?? 'nameless', issuer: intermediate, names, ...more });
}

/** One file with all of it. */
export function bundleOf(one: Forged): HandedIn {
  return handIn(one.pem + chainPem + keyPem(one.key));
}

/** As the command line does it: staged, then taken. */
export async function upload(
  files: HandedIn | Forged,
  input: object = {},
  caller: Caller = {},
): Promise<CertificateAdded> {
  const staging = await bench.needs.staging.put('pem' in files ? bundleOf(files) : files);
  return bench.run(certsAdd, { staging, ...input }, caller);
}
