import { chmodSync, chownSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { domainsAdd } from '../../src/operations/domains.ts';
import { generateKey } from '../../src/x509/key.ts';
import { bench, useBench } from '../operations/fixture.ts';
import { testFolder } from '../support/run-folder.ts';
import { acmeShFolder, certbotFolder, day, letsencrypt, madeCertificate, now } from './folders.ts';
import { accountUrl, certbotAt, lineages, take } from './given.ts';

useBench();

describe('what is not taken is told with the reason', () => {
  const reasons: readonly (readonly [string, (root: string) => void | Promise<void>, RegExp])[] = [
    ['an expired certificate', () => {}, /expired/],
    ['a key that is not of the certificate', (root) => swapKey(root), /no certificate .* is for the key/],
    [
      'a file that is not there',
      (root) => rmSync(join(root, 'archive'), { recursive: true }),
      /there is no .*fullchain/,
    ],
    [
      'a broken key',
      (root) => writeFileSync(join(root, 'archive/x/privkey1.pem'), 'nothing'),
      /private key is not/,
    ],
    [
      'a broken certificate',
      (root) => writeFileSync(join(root, 'archive/x/fullchain1.pem'), 'x'),
      /no certificate/,
    ],
  ];

  async function swapKey(root: string): Promise<void> {
    const { keyPem } = await madeCertificate(['www.example.com']);
    writeFileSync(join(root, 'archive/x/privkey1.pem'), keyPem);
  }

  test.each(reasons)('%s, and the others are taken', async (what, spoil, reason) => {
    const isExpired = what.includes('expired');
    const spoilt = await madeCertificate(['www.example.com'], isExpired ? { notAfter: now - day } : {});
    const { root, add } = await certbotAt({ x: spoilt });
    await spoil(root);
    add('y', await madeCertificate(['www.example.net']));
    const items = await take('certbot', root);
    const left = items.filter(({ outcome }) => outcome === 'not taken');
    expect(left).toEqual([expect.objectContaining({ note: expect.stringMatching(reason) })]);
    expect((await lineages()).map(({ id }) => id)).toEqual(['example.net/www.example.net/ec']);
  });

  test('names of different domains on one certificate', async () => {
    const { root } = await certbotAt({ x: await madeCertificate(['a.example.com', 'b.example.net']) });
    const [, item] = await take('certbot', root);
    expect(item).toMatchObject({ outcome: 'not taken', note: expect.stringContaining('different domains') });
  });

  test('a CA that the configuration file does not have, unless it is named for what names none', async () => {
    const staging = 'https://acme-staging-v02.api.letsencrypt.org/directory';
    const key = await generateKey('p256');
    const folder = certbotFolder(testFolder('import'), { url: accountUrl, key }, staging);
    folder.add('x', await madeCertificate(['www.example.com']));
    const items = await take('certbot', folder.root);
    expect(items.map(({ outcome, note }) => [outcome, note])).toEqual([
      ['not taken', expect.stringContaining(`it is of ${staging}, and no issuer`)],
      ['not taken', expect.stringContaining(`it is of ${staging}, and no issuer`)],
    ]);
    rmSync(join(folder.root, 'renewal'), { recursive: true });
    const [, unnamed] = await take('certbot', folder.root);
    expect(unnamed?.note).toContain('name the issuer with --issuer');
    const [account, certificate] = await take('certbot', folder.root, { only: 'letsencrypt' });
    expect(account).toMatchObject({
      outcome: 'not taken',
      note: expect.stringContaining('not the directory of'),
    });
    expect(certificate).toMatchObject({ outcome: 'taken' });
  });

  test('a domain that does not use its issuer: its next look would order', async () => {
    await bench.run(domainsAdd, { name: 'example.com', issuers: ['zerossl'] });
    const { root } = await certbotAt({ x: await madeCertificate(['www.example.com']) });
    const [, item] = await take('certbot', root);
    expect(item).toMatchObject({ outcome: 'not taken', note: expect.stringContaining('add the issuer') });
  });

  test('an account where the issuer has one already', async () => {
    const key = await generateKey('p256');
    const url = 'https://acme-v02.api.letsencrypt.org/acme/acct/1';
    await bench.needs.accounts.put({
      issuer: 'letsencrypt',
      directoryUrl: letsencrypt,
      url,
      key,
      contacts: [],
      createdAt: now,
    });
    const { root } = await certbotAt({ x: await madeCertificate(['www.example.com']) });
    const [account, certificate] = await take('certbot', root);
    expect(account).toMatchObject({ outcome: 'not taken', note: expect.stringContaining(url) });
    // Of another account: it is renewed without "replaces".
    expect(certificate?.outcome).toBe('taken');
    expect((await bench.needs.accounts.get('letsencrypt'))?.url).toBe(url);
  });

  test('a folder that is not one of the client', async () => {
    await expect(take('lego', testFolder('import'))).rejects.toMatchObject({ code: 'config.unreadable' });
    await expect(take('lego', '/nowhere')).rejects.toMatchObject({ code: 'config.unreadable' });
  });

  test('links that lead nowhere, where the archive has the files', async () => {
    const { root } = await certbotAt({ x: await madeCertificate(['www.example.com']) });
    rmSync(join(root, 'live', 'x'), { recursive: true });
    expect((await take('certbot', root)).map(({ outcome }) => outcome)).toEqual(['taken', 'taken']);
  });
});

describe('a folder that the user may not look into', () => {
  const nobody = 65_534;
  /** Below folders that another user may pass through. */
  const openFolder = () => mkdtempSync(join(tmpdir(), 'import-'));

  /** Root may look into everything, so it becomes another user, to whom all that lies there belongs. */
  async function asPlainUser<T>(root: string, work: () => Promise<T>): Promise<T> {
    if (process.geteuid?.() !== 0) return work();
    const below = readdirSync(root, { recursive: true, encoding: 'utf8' });
    for (const path of ['', ...below]) chownSync(join(root, path), nobody, nobody);
    process.seteuid?.(nobody);
    try {
      return await work();
    } finally {
      process.seteuid?.(0);
    }
  }

  test.each(['live', 'accounts', '.'])('is named with what to do: %s of certbot', async (part) => {
    const { root, add } = certbotFolder(openFolder(), { url: accountUrl, key: await generateKey('p256') });
    add('x', await madeCertificate(['www.example.com']));
    const taken = asPlainUser(root, async () => {
      chmodSync(join(root, part), 0o000);
      return take('certbot', root).finally(() => chmodSync(join(root, part), 0o700));
    });
    await expect(taken).rejects.toMatchObject({
      code: 'config.unreadable',
      message: expect.stringContaining('may not be read by this user'),
      advice: expect.stringContaining('Run the import as a user who may'),
    });
    expect(await lineages()).toEqual([]);
  });

  test('one of several is told, and the others are taken', async () => {
    const key = await generateKey('p256');
    const { root, add } = acmeShFolder(openFolder(), { url: accountUrl, key });
    add('www.example.com', await madeCertificate(['www.example.com']));
    add('www.example.net', await madeCertificate(['www.example.net']));
    const closed = [join(root, 'www.example.com_ecc'), join(root, 'ca', 'ca.example')];
    mkdirSync(closed[1] ?? '');
    const items = await asPlainUser(root, async () => {
      for (const path of closed) chmodSync(path, 0o000);
      const taken = await take('acme.sh', root);
      for (const path of closed) chmodSync(path, 0o700);
      return taken;
    });
    const left = items.filter(({ outcome }) => outcome === 'not taken');
    const note = expect.stringContaining('may not be read by this user');
    expect(left.map(({ at }) => at).toSorted()).toEqual(closed.toSorted());
    expect(left).toEqual(closed.map(() => expect.objectContaining({ note })));
    expect((await lineages()).map(({ id }) => id)).toEqual(['example.net/www.example.net/ec']);
  });
});
