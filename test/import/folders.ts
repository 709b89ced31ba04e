import { createPrivateKey } from 'node:crypto';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Secret, secret } from '../../src/core/secret.ts';
import type { KeyType } from '../../src/core/types.ts';
import { createPki } from '../../src/x509/index.ts';
import { generateKey } from '../../src/x509/key.ts';
import { createCaSigner } from '../core/ca-signer.ts';

export const day = 86_400_000;
export const now = Date.UTC(2026, 10, 20, 12);
export const letsencrypt = 'https://acme-v02.api.letsencrypt.org/directory';

const pki = createPki();
const ca = createCaSigner('Test', { notBefore: now - 900 * day, notAfter: now + 900 * day });

export interface MadeCertificate {
  readonly names: readonly string[];
  readonly chainPem: string;
  readonly keyPem: string;
}

/** A certificate of ninety days, as a CA issues it. */
export async function madeCertificate(
  names: readonly string[],
  { keyType = 'p256', notAfter = now + 60 * day }: { keyType?: KeyType; notAfter?: number } = {},
): Promise<MadeCertificate> {
  const key = await generateKey(keyType);
  const chainPem = ca.issue(pki.createCsr(names, key), { notBefore: notAfter - 90 * day, notAfter });
  return { names, chainPem, keyPem: keyPem(key) };
}

/** In the older form that these clients write: SEC 1 or PKCS #1. */
export function keyPem(key: Secret<Uint8Array>): string {
  const parsed = createPrivateKey({ key: Buffer.from(key.reveal()), format: 'der', type: 'pkcs8' });
  const type = parsed.asymmetricKeyType === 'rsa' ? 'pkcs1' : 'sec1';
  const text = secret(parsed.export({ type, format: 'pem' }).toString());
  return text.reveal();
}

function write(path: string, content: string | object): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content), { mode: 0o600 });
}

export interface MadeAccount {
  readonly url?: string | undefined;
  readonly key: Secret<Uint8Array>;
}

/** Certbot's folder with one account. */
export function certbotFolder(root: string, account: MadeAccount, directoryUrl = letsencrypt) {
  const { host, pathname } = new URL(directoryUrl);
  const folder = join(root, 'accounts', `${host}${pathname}`, 'a1b2');
  const key = createPrivateKey({ key: Buffer.from(account.key.reveal()), format: 'der', type: 'pkcs8' });
  write(join(folder, 'private_key.json'), key.export({ format: 'jwk' }));
  write(join(folder, 'regr.json'), { body: { contact: ['mailto:a@example.com'] }, uri: account.url });
  write(join(folder, 'meta.json'), { creation_host: 'web1' });
  write(join(root, 'live', 'README'), 'This directory contains your keys and certificates.');
  return {
    root,
    add(name: string, { chainPem, keyPem: key }: MadeCertificate, generation = 1) {
      const archive = join(root, 'archive', name);
      write(join(archive, `fullchain${generation}.pem`), chainPem);
      write(join(archive, `privkey${generation}.pem`), key);
      const live = join(root, 'live', name);
      mkdirSync(live, { recursive: true });
      for (const file of ['fullchain', 'privkey'])
        symlinkSync(join('..', '..', 'archive', name, `${file}${generation}.pem`), join(live, `${file}.pem`));
      const lines = [
        '# renew_before_expiry = 30 days',
        'version = 4.0.0',
        `archive_dir = /etc/letsencrypt/archive/${name}`,
        `fullchain = /etc/letsencrypt/live/${name}/fullchain.pem`,
        '[renewalparams]',
        'account = a1b2',
        'authenticator = webroot',
        `server = ${directoryUrl}`,
        'key_type = ecdsa',
      ];
      write(join(root, 'renewal', `${name}.conf`), `${lines.join('\n')}\n`);
    },
  };
}

/** The home of acme.sh with one account. */
export function acmeShFolder(root: string, account: MadeAccount, directoryUrl = letsencrypt) {
  const { hostname, pathname } = new URL(directoryUrl);
  const folder = join(root, 'ca', hostname, pathname.slice(1));
  const pem = `-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n${keyPem(account.key)}`;
  write(join(folder, 'account.key'), pem);
  write(join(folder, 'account.json'), { status: 'valid', contact: ['mailto:a@example.com'] });
  write(
    join(folder, 'ca.conf'),
    `CA_KEY_HASH='x'\n${account.url === undefined ? '' : `ACCOUNT_URL='${account.url}'\n`}CA_EMAIL='a@example.com'\n`,
  );
  write(join(root, 'account.conf'), "UPGRADE_HASH='1'\n");
  write(join(root, 'dnsapi', 'dns_aws.sh'), '#!/bin/sh\n');
  return {
    root,
    add(name: string, { chainPem, keyPem: key }: MadeCertificate, isEcc = true) {
      const own = join(root, isEcc ? `${name}_ecc` : name);
      write(join(own, `${name}.key`), key);
      write(join(own, 'fullchain.cer'), chainPem);
      const reload = Buffer.from('systemctl reload nginx').toString('base64');
      write(
        join(own, `${name}.conf`),
        `Le_Domain='${name}'\nLe_Alt='no'\nLe_API='${directoryUrl}'\nLe_ReloadCmd='__ACME_BASE64__START_${reload}__ACME_BASE64__END_'\n`,
      );
    },
  };
}

/** Lego's folder with one account, as version 4 writes it. */
export function legoFolder(root: string, account: MadeAccount, directoryUrl = letsencrypt) {
  const { host } = new URL(directoryUrl);
  const own = join(root, 'accounts', host.replace(':', '_'), 'a@example.com');
  write(join(own, 'account.json'), {
    email: 'a@example.com',
    registration: { body: { status: 'valid' }, uri: account.url },
  });
  write(join(own, 'keys', 'a@example.com.key'), keyPem(account.key));
  return {
    root,
    add(name: string, { chainPem, keyPem: key }: MadeCertificate) {
      const path = join(root, 'certificates', name.replace('*', '_'));
      const issuer = chainPem.slice(chainPem.indexOf('-----BEGIN', 20));
      write(`${path}.crt`, chainPem);
      write(`${path}.issuer.crt`, issuer);
      write(`${path}.key`, key);
      write(`${path}.json`, { domain: name, certUrl: `https://${host}/acme/cert/04ab` });
    },
  };
}
