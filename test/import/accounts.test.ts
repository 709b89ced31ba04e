import { cpSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { generateKey } from '../../src/x509/key.ts';
import { bench, useBench } from '../operations/fixture.ts';
import { testFolder } from '../support/run-folder.ts';
import { acmeShFolder, certbotFolder, madeCertificate } from './folders.ts';
import { accountUrl, take } from './given.ts';

useBench();

const accountAt = 'acme-v02.api.letsencrypt.org/directory';

describe('accounts of another client', () => {
  test('are found where older versions of acme.sh kept them, in a folder of the host alone', async () => {
    const key = await generateKey('p256');
    const { root } = acmeShFolder(testFolder('import'), { url: accountUrl, key });
    const host = join(root, 'ca', 'acme-v02.api.letsencrypt.org');
    for (const name of readdirSync(join(host, 'directory')))
      renameSync(join(host, 'directory', name), join(host, name));
    expect(await take('acme.sh', root)).toMatchObject([
      { what: 'account', into: 'letsencrypt', outcome: 'taken' },
    ]);
    const stored = await bench.needs.accounts.get('letsencrypt');
    expect(stored?.key.reveal()).toEqual(key.reveal());
  });

  test.each([true, false])(
    'of which there are several at one CA: that which ordered the most is taken, the others are told (dry run: %s)',
    async (dryRun) => {
      const [idle, busy] = [await generateKey('p256'), await generateKey('p256')];
      const folder = certbotFolder(testFolder('import'), { url: accountUrl, key: busy });
      folder.add('a', await madeCertificate(['www.example.com']));
      const other = certbotFolder(testFolder('import'), { url: `${accountUrl}0`, key: idle });
      // Its name comes first.
      const place = (root: string, id: string) => join(root, 'accounts', accountAt, id);
      cpSync(place(other.root, 'a1b2'), place(folder.root, 'a0'), { recursive: true });
      const items = (await take('certbot', folder.root, { dryRun })).filter(({ what }) => what === 'account');
      expect(items).toMatchObject([
        { at: place(folder.root, 'a1b2'), outcome: dryRun ? 'would be taken' : 'taken' },
        { at: place(folder.root, 'a0'), outcome: 'not taken', note: expect.any(String) },
      ]);
      const stored = await bench.needs.accounts.get('letsencrypt');
      expect(stored?.url).toBe(dryRun ? undefined : accountUrl);
    },
  );

  test('of acme.sh have the address of its settings where the registration was not kept', async () => {
    const { root } = acmeShFolder(testFolder('import'), { url: accountUrl, key: await generateKey('p256') });
    rmSync(join(root, 'ca', accountAt, 'account.json'));
    await take('acme.sh', root);
    expect((await bench.needs.accounts.get('letsencrypt'))?.contacts).toEqual(['mailto:a@example.com']);
  });

  test('are there already, also when they got another key here since', async () => {
    const { root } = certbotFolder(testFolder('import'), { url: accountUrl, key: await generateKey('p256') });
    await take('certbot', root);
    const stored = await bench.needs.accounts.get('letsencrypt');
    if (stored !== undefined) await bench.needs.accounts.put({ ...stored, key: await generateKey('p256') });
    expect(await take('certbot', root)).toMatchObject([{ what: 'account', outcome: 'there already' }]);
  });

  test('take the place of one that the issuer had at another CA, under its name', async () => {
    const [old, key] = [await generateKey('p256'), await generateKey('p256')];
    const record = { issuer: 'letsencrypt', url: 'https://staging.test/1', key: old, contacts: [] };
    await bench.needs.accounts.put({ ...record, directoryUrl: 'https://staging.test/dir', createdAt: 0 });
    const { root } = certbotFolder(testFolder('import'), { url: accountUrl, key });
    expect(await take('certbot', root)).toMatchObject([{ what: 'account', outcome: 'taken' }]);
    expect((await bench.needs.accounts.get('letsencrypt'))?.url).toBe(accountUrl);
  });
});
