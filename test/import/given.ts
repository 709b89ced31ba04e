import { registeredDomain } from '../../src/acme/registered-domain.ts';
import { decide } from '../../src/core/renewal/decide.ts';
import type { Lineage, Settings } from '../../src/core/types.ts';
import { importFrom, type OtherClient } from '../../src/import/import.ts';
import type { ImportItem } from '../../src/import/report.ts';
import { domainFor } from '../../src/operations/refusals.ts';
import { createPki } from '../../src/x509/index.ts';
import { generateKey } from '../../src/x509/key.ts';
import { bench, settings as usual } from '../operations/fixture.ts';
import { testFolder } from '../support/run-folder.ts';
import { certbotFolder, letsencrypt, type madeCertificate } from './folders.ts';

export const accountUrl = 'https://acme-v02.api.letsencrypt.org/acme/acct/7';
export const settings: Settings = {
  ...usual,
  issuerFacts: {
    letsencrypt: { directoryUrl: letsencrypt, mark: 'le' },
    zerossl: { directoryUrl: 'https://acme.zerossl.com/v2/DV90', mark: 'z' },
  },
};

interface Options {
  readonly only?: string | undefined;
  readonly dryRun?: boolean | undefined;
  readonly settings?: Settings | undefined;
}

export function take(
  from: OtherClient,
  folder: string,
  options: Options = {},
): Promise<readonly ImportItem[]> {
  const { only, dryRun = false, settings: own = settings } = options;
  return importFrom(from, folder, {
    ...bench.needs,
    settings: () => own,
    pki: createPki(),
    choice: { settings: own, only },
    dryRun,
    domainFor: (names) => domainFor(names, bench.needs),
    registeredDomain,
  });
}

/** Lineages that would order now. */
export async function ordering(): Promise<readonly string[]> {
  const { certificates, renewals } = bench.needs;
  const found: string[] = [];
  for (const lineage of await certificates.lineages()) {
    const [certificate, state] = [await certificates.certificate(lineage.id), await renewals.get(lineage.id)];
    if (decide({ lineage, certificate, state, now: bench.now }) !== undefined) found.push(lineage.id);
  }
  return found;
}

export async function lineages(): Promise<readonly Lineage[]> {
  return bench.needs.certificates.lineages();
}

export function outcomes(items: readonly ImportItem[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    items.map(({ what, names, into, at, outcome }) => [
      what === 'account' ? `account ${into ?? ''}` : (names?.join(' ') ?? at.split('/').at(-1) ?? ''),
      outcome,
    ]),
  );
}

/** Certbot's folder with an account and these certificates. */
export async function certbotAt(
  names: Readonly<Record<string, Awaited<ReturnType<typeof madeCertificate>>>>,
) {
  const folder = certbotFolder(testFolder('import'), { url: accountUrl, key: await generateKey('p256') });
  for (const [name, made] of Object.entries(names)) folder.add(name, made);
  return folder;
}
