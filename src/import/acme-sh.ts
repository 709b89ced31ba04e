import { basename, join, relative, sep } from 'node:path';
import { readForeignKey } from '../x509/foreign-key.ts';
import type { Found, FoundAccount, FoundCertificate, Server } from './found.ts';
import {
  foldersWith,
  mailUrls,
  memberOf,
  namesIfOpen,
  namesIn,
  readAll,
  readIfThere,
  readText,
  serverAt,
  textOf,
} from './reading.ts';

/**
 * The home of acme.sh (`~/.acme.sh`): `ca/<host>/<path of the directory URL>/{account.key,account.json,ca.conf}`, and
 * `<domain>/` or `<domain>_ecc/` with `<domain>.key`, `fullchain.cer` and `<domain>.conf`.
 */
export async function readAcmeSh(folder: string): Promise<Found> {
  const accounts = await foldersWith('account.key', join(folder, 'ca'));
  const certificates: string[] = [];
  for (const name of await namesIn(folder)) {
    const files = await namesIfOpen(join(folder, name));
    if (files === undefined || files.includes(`${domainOf(name)}.conf`))
      certificates.push(join(folder, name));
  }
  return readAll(
    { at: accounts, read: (at) => readAccount(at, folder) },
    { at: certificates, read: readCertificate },
  );
}

function domainOf(folder: string): string {
  return folder.replace(/_ecc$/, '');
}

async function readAccount(at: string, folder: string): Promise<FoundAccount> {
  const [host = '', ...path] = relative(join(folder, 'ca'), at).split(sep);
  const settings = readSettings((await readIfThere(join(at, 'ca.conf'))) ?? '');
  const registration: unknown = JSON.parse((await readIfThere(join(at, 'account.json'))) || '{}');
  const email = settings.get('CA_EMAIL');
  const contacts = mailUrls(memberOf(registration, 'contact'));
  return {
    at,
    server: serverOf(host, path.join('/')),
    url: textOf(settings.get('ACCOUNT_URL')),
    key: readForeignKey(await readText(join(at, 'account.key'))),
    contacts: contacts.length > 0 || !email ? contacts : mailUrls([email]),
  };
}

/** Its folder names leave out the port, and those of older versions the path too. */
function serverOf(host: string, path: string): Server {
  const isAt = (directoryUrl: string) => {
    if (!URL.canParse(directoryUrl)) return false;
    const url = new URL(directoryUrl);
    return url.hostname === host && (path === '' || url.pathname.replace(/^\/|\/$/g, '') === path);
  };
  return { name: `https://${host}/${path}`, isAt };
}

/** undefined: of a certificate that was asked for and not issued. */
async function readCertificate(
  at: string,
  accounts: readonly FoundAccount[],
): Promise<FoundCertificate | undefined> {
  const domain = domainOf(basename(at));
  const settings = readSettings(await readText(join(at, `${domain}.conf`)));
  const chainPem = await readIfThere(join(at, 'fullchain.cer'));
  if (chainPem === undefined) return undefined;
  const directoryUrl = textOf(settings.get('Le_API'));
  const account =
    directoryUrl === undefined ? undefined : accounts.find(({ server }) => server.isAt(directoryUrl));
  return {
    at,
    chainPem,
    privateKey: readForeignKey(await readText(join(at, `${domain}.key`))),
    server: directoryUrl === undefined ? undefined : serverAt(directoryUrl),
    account: account?.url,
  };
}

const encoded = /^__ACME_BASE64__START_(.*)__ACME_BASE64__END_$/;

/** `NAME='value'` lines; a value may be wrapped in base64. */
function readSettings(text: string): ReadonlyMap<string, string> {
  const lines = text.split('\n').flatMap((line) => {
    const [, name, quoted, bare] = /^\s*(\w+)=(?:'([^']*)'|"?([^"\s]*)"?)\s*$/.exec(line) ?? [];
    if (name === undefined) return [];
    const value = quoted ?? bare ?? '';
    const wrapped = encoded.exec(value)?.[1];
    return [[name, wrapped === undefined ? value : Buffer.from(wrapped, 'base64').toString('utf8')] as const];
  });
  return new Map(lines);
}
