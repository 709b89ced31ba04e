import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { testFolder } from '../support/run-folder.ts';
import {
  asOrdinaryUser,
  createFilesTarget,
  isRoot,
  linkOf,
  makeBundle,
  nobody,
  signal,
  slot,
  slotOf,
} from './fixture.ts';

describe('a place that cannot be used', () => {
  it.each([
    ['../../etc', 'example.com'],
    ['a/b', 'example.com'],
    ['a\0b', 'example.com'],
    ['.generations', 'example.com'],
    ['a..b', 'example.com'],
    ['_wildcard.example.com', 'example.com'],
    ['www.example.com.rsa', 'example.com'],
    [`${'a'.repeat(63)}.`.repeat(4), 'example.com'],
    ['www.example.com', '../up'],
    ['www.example.com', ''],
  ])('refuses label %j of domain %j and writes nothing', async (label, domain) => {
    const path = join(testFolder('files'), 'certs');
    const target = await createFilesTarget({ path });
    const bundle = await makeBundle(['www.example.com']);
    const request = { bundle, slot: { ...slotOf(label, 'rsa'), domain } };
    await expect(target.deploy(request, signal)).rejects.toMatchObject({ code: 'deploy.target' });
    await expect(target.observe(request.slot, signal)).rejects.toMatchObject({ code: 'deploy.target' });
    expect(existsSync(path)).toBe(false);
  });

  it('is a file in the way of the root, of the domain or of the link', async () => {
    const path = testFolder('files');
    const bundle = await makeBundle(['www.example.com']);
    writeFileSync(join(path, 'file'), '');
    writeFileSync(join(path, 'example.com'), '');
    const below = await createFilesTarget({ path: join(path, 'file') });
    const beside = await createFilesTarget({ path });
    await expect(below.deploy({ bundle, slot }, signal)).rejects.toMatchObject({ code: 'deploy.target' });
    await expect(beside.deploy({ bundle, slot }, signal)).rejects.toMatchObject({ code: 'deploy.target' });

    rmSync(join(path, 'example.com'));
    mkdirSync(join(path, 'example.com'));
    writeFileSync(linkOf(path), 'of another program');
    await expect(beside.deploy({ bundle, slot }, signal)).rejects.toMatchObject({
      code: 'deploy.target',
      message: expect.stringContaining('not made by acme-agent'),
    });
    expect(readFileSync(linkOf(path), 'utf8')).toBe('of another program');

    rmSync(linkOf(path));
    symlinkSync('/nowhere', linkOf(path));
    await expect(beside.deploy({ bundle, slot }, signal)).rejects.toMatchObject({ code: 'deploy.target' });
    expect(readlinkSync(linkOf(path))).toBe('/nowhere');
  });

  it('is a domain directory that is a link to elsewhere', async () => {
    const path = testFolder('files');
    symlinkSync(testFolder('elsewhere'), join(path, 'example.com'));
    const target = await createFilesTarget({ path });
    const bundle = await makeBundle(['www.example.com']);
    await expect(target.deploy({ bundle, slot }, signal)).rejects.toMatchObject({ code: 'deploy.target' });
  });

  it.skipIf(!isRoot)('is a root of somebody else where everybody may write (needs root)', async () => {
    const path = testFolder('files');
    chmodSync(path, 0o777);
    chownSync(path, nobody, nobody);
    const target = await createFilesTarget({ path });
    const bundle = await makeBundle(['www.example.com']);
    await expect(target.deploy({ bundle, slot }, signal)).rejects.toMatchObject({
      code: 'deploy.target',
      message: expect.stringContaining('everybody may write'),
    });
    expect(readdirSync(path)).toEqual([]);
  });

  it('is a directory without the right to write, and the error names it', async () => {
    const bundle = await makeBundle(['www.example.com']);
    await asOrdinaryUser(async (folder) => {
      chmodSync(folder, 0o500);
      const path = join(folder, 'certs');
      const target = await createFilesTarget({ path });
      await expect(target.deploy({ bundle, slot }, signal)).rejects.toMatchObject({
        code: 'deploy.target',
        message: expect.stringMatching(new RegExp(`^${path}: user \\d+ may not do this`)),
      });
    });
  });
});
