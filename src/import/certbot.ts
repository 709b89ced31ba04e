import { basename, join, relative, sep } from 'node:path';
import { readForeignKey } from '../x509/foreign-key.ts';
import type { Found, FoundAccount, FoundCertificate } from './found.ts';
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
 * Certbot's folder (`/etc/letsencrypt`): `accounts/<host and path of the directory URL>/<id>/{private_key,regr}.json`,
 * `live/<name>/` with links to the newest of `archive/<name>/`, and `renewal/<name>.conf`. A copy of it from another
 * machine will do: the absolute paths in it are not used.
 */
export async function readCertbot(folder: string): Promise<Found> {
  const accounts = await foldersWith('private_key.json', join(folder, 'accounts'));
  const renewals = (await namesIn(join(folder, 'renewal'))).filter((name) => name.endsWith('.conf'));
  const live = (await namesIn(join(folder, 'live'))).filter((name) => name !== 'README');
  const names = new Set([...live, ...renewals.map((name) => name.slice(0, -'.conf'.length))]);
  return readAll(
    { at: accounts, read: (at) => readAccount(at, folder) },
    {
      at: [...names].sort().map((name) => join(folder, 'live', name)),
      read: (at, found) => readCertificate(at, folder, found),
    },
  );
}

async function readAccount(at: string, folder: string): Promise<FoundAccount> {
  const path = relative(join(folder, 'accounts'), at).split(sep).slice(0, -1).join('/');
  const registration: unknown = JSON.parse((await readIfThere(join(at, 'regr.json'))) ?? '{}');
  return {
    at,
    server: serverAt(`https://${path}`),
    url: textOf(memberOf(registration, 'uri')),
    key: readForeignKey(await readText(join(at, 'private_key.json'))),
    contacts: mailUrls(memberOf(registration, 'body', 'contact')),
  };
}

async function readCertificate(
  at: string,
  folder: string,
  accounts: readonly FoundAccount[],
): Promise<FoundCertificate> {
  const name = basename(at);
  const settings = readIni((await readIfThere(join(folder, 'renewal', `${name}.conf`))) ?? '');
  const server = settings.get('server');
  const [chainPem, keyPem] = await readNewest(at, join(folder, 'archive', name));
  return {
    at,
    chainPem,
    privateKey: readForeignKey(keyPem),
    server: server === undefined ? undefined : serverAt(server),
    account: accounts.find((one) => basename(one.at) === settings.get('account'))?.url,
  };
}

/** By the links, or, where they lead nowhere, the greatest number that has both files. */
async function readNewest(live: string, archive: string): Promise<readonly [chain: string, key: string]> {
  const linked = await pair(join(live, 'fullchain.pem'), join(live, 'privkey.pem'));
  if (linked !== undefined) return linked;
  const numbers = (await namesIn(archive)).flatMap((name) => /^fullchain(\d+)\.pem$/.exec(name)?.[1] ?? []);
  for (const number of numbers.toSorted((a, b) => Number(b) - Number(a))) {
    const kept = await pair(join(archive, `fullchain${number}.pem`), join(archive, `privkey${number}.pem`));
    if (kept !== undefined) return kept;
  }
  return [await readText(join(live, 'fullchain.pem')), await readText(join(live, 'privkey.pem'))];
}

async function pair(chain: string, key: string): Promise<readonly [string, string] | undefined> {
  const [chainPem, keyPem] = [await readIfThere(chain), await readIfThere(key)];
  return chainPem === undefined || keyPem === undefined ? undefined : [chainPem, keyPem];
}

/** `key = value` lines; of sections only the names of the keys matter here. */
function readIni(text: string): ReadonlyMap<string, string> {
  const lines = text.split('\n').flatMap((line) => {
    const [, key, value] = /^\s*([A-Za-z0-9_]+)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    return key === undefined || value === undefined ? [] : [[key, value] as const];
  });
  return new Map(lines);
}
