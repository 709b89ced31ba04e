import { AgentError } from '../core/errors.ts';
import { type ImportAccountNeeds, importAccounts } from './accounts.ts';
import { readAcmeSh } from './acme-sh.ts';
import { readCertbot } from './certbot.ts';
import { type ImportCertificateNeeds, importCertificates } from './certificates.ts';
import type { Found } from './found.ts';
import { readLego } from './lego.ts';
import { isFolder, namesIn } from './reading.ts';
import type { ImportItem } from './report.ts';

const readers = { certbot: readCertbot, 'acme.sh': readAcmeSh, lego: readLego } as const;

export type OtherClient = keyof typeof readers;

/**
 * Takes the accounts and certificates of another ACME client over. Nothing is ordered and nothing in its folder is
 * changed; what is not taken is told with the reason. A second time changes nothing.
 */
export async function importFrom(
  client: OtherClient,
  folder: string,
  needs: ImportAccountNeeds & ImportCertificateNeeds,
): Promise<readonly ImportItem[]> {
  if (!(await isFolder(folder))) {
    // Maybe there is one, where this user may not look.
    await namesIn(folder);
    throw unreadable(`there is no folder ${folder}`, client);
  }
  const found: Found = await readers[client](folder);
  const { accounts, certificates } = found;
  if (accounts.length + certificates.length + found.unreadable.length === 0)
    throw unreadable(`there is nothing of ${client} in ${folder}`, client);
  return [
    ...(await importAccounts(accounts, certificates, needs)),
    ...(await importCertificates(certificates, needs)),
    ...found.unreadable.map(
      ({ what, at, reason }): ImportItem => ({ what, at, outcome: 'not taken', note: reason }),
    ),
  ];
}

const usualFolders: Readonly<Record<OtherClient, string>> = {
  certbot: '/etc/letsencrypt',
  'acme.sh': '~/.acme.sh',
  lego: '.lego where it was run',
};

function unreadable(message: string, client: OtherClient): AgentError {
  return new AgentError('config.unreadable', message, {
    advice: `Name the folder in which ${client} keeps its accounts and certificates: usually ${usualFolders[client]}.`,
  });
}
