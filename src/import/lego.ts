import { basename, dirname, join, relative, sep } from 'node:path';
import { readForeignKey } from '../x509/foreign-key.ts';
import type { Found, FoundAccount, FoundCertificate, Server } from './found.ts';
import {
  foldersWith,
  mailUrls,
  memberOf,
  namesIn,
  readAll,
  readIfThere,
  readText,
  serverAt,
  textOf,
} from './reading.ts';

/**
 * Lego's folder (`.lego`): `accounts/<host, port behind _>/<e-mail or id>/account.json` with the key in `keys/` beside
 * it, or since version 5 beside it, and `certificates/<name>.{crt,key,json}`, `_` for a wildcard's asterisk.
 */
export async function readLego(folder: string): Promise<Found> {
  const accounts = await foldersWith('account.json', join(folder, 'accounts'));
  const files = await namesIn(join(folder, 'certificates'));
  const certificates = files.filter((name) => name.endsWith('.crt') && !name.endsWith('.issuer.crt'));
  return readAll(
    { at: accounts, read: (at) => readAccount(at, folder) },
    { at: certificates.map((name) => join(folder, 'certificates', name)), read: readCertificate },
  );
}

async function readAccount(at: string, folder: string): Promise<FoundAccount> {
  const [host = '', id = ''] = relative(join(folder, 'accounts'), at).split(sep);
  const account: unknown = JSON.parse(await readText(join(at, 'account.json')));
  const registration = memberOf(account, 'registration');
  const server = textOf(memberOf(account, 'server'));
  const keyPem =
    (await readIfThere(join(at, 'keys', `${id}.key`))) ?? (await readText(join(at, `${id}.key`)));
  const email = textOf(memberOf(account, 'email'));
  const contacts = mailUrls(memberOf(registration, 'body', 'contact') ?? memberOf(registration, 'contact'));
  return {
    at,
    server: server === undefined ? serverAtHost(host) : serverAt(server),
    url: textOf(memberOf(registration, 'uri') ?? memberOf(registration, 'accountURL')),
    key: readForeignKey(keyPem),
    contacts: contacts.length > 0 || email === undefined ? contacts : mailUrls([email]),
  };
}

/** One host may have several directories; what else is known of them is not written down. */
function serverAtHost(written: string): Server {
  const isAt = (directoryUrl: string) =>
    URL.canParse(directoryUrl) && new URL(directoryUrl).host.replaceAll(':', '_') === written;
  return { name: `https://${written.replace(/_(\d+)$/, ':$1')}`, isAt };
}

async function readCertificate(at: string, accounts: readonly FoundAccount[]): Promise<FoundCertificate> {
  const path = join(dirname(at), basename(at, '.crt'));
  const resource: unknown = JSON.parse((await readIfThere(`${path}.json`)) ?? '{}');
  const chainPem = await readText(at);
  const issuerPem = (await readIfThere(`${path}.issuer.crt`)) ?? '';
  const server = serverFrom(resource);
  const ordered = server === undefined ? [] : accounts.filter((one) => isSameCa(one, resource));
  return {
    at,
    // Without the option "bundle" the chain is in a file of its own; repeated certificates do no harm.
    chainPem: `${chainPem}\n${issuerPem}`,
    privateKey: readForeignKey(await readText(`${path}.key`)),
    server,
    // Which one it was is not written down.
    account: ordered.length === 1 ? ordered[0]?.url : undefined,
  };
}

function serverFrom(resource: unknown): Server | undefined {
  const directoryUrl = textOf(memberOf(resource, 'server'));
  if (directoryUrl !== undefined) return serverAt(directoryUrl);
  const host = hostOf(resource);
  return host === undefined ? undefined : serverAtHost(host.replaceAll(':', '_'));
}

function isSameCa({ server, url }: FoundAccount, resource: unknown): boolean {
  const directoryUrl = textOf(memberOf(resource, 'server'));
  if (directoryUrl !== undefined) return server.isAt(directoryUrl);
  return url !== undefined && URL.canParse(url) && new URL(url).host === hostOf(resource);
}

/** Certificates are fetched from the host of the directory. */
function hostOf(resource: unknown): string | undefined {
  const url = textOf(memberOf(resource, 'certUrl')) ?? textOf(memberOf(resource, 'certStableUrl'));
  return url !== undefined && URL.canParse(url) ? new URL(url).host : undefined;
}
