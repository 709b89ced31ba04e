import { existsSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { makeFolder, nearestExisting } from '../src/folder.ts';
import { testFolder } from './support/run-folder.ts';

describe('a folder', () => {
  it('is made with those above it, and told is the first one made', async () => {
    const top = testFolder('folder');
    const path = join(top, 'a', 'b', 'c');
    expect(await nearestExisting(path)).toBe(top);
    expect(await makeFolder(path, 0o700)).toBe(join(top, 'a'));
    expect([join(top, 'a'), path].map((one) => statSync(one).mode & 0o777)).toEqual([0o700, 0o700]);
    expect(await makeFolder(path)).toBeUndefined();
    expect(await nearestExisting(path)).toBe(path);
  });

  it('that many make at once is made once', async () => {
    const top = testFolder('folder');
    const path = join(top, 'a', 'b', 'c');
    await Promise.all(Array.from({ length: 20 }, () => makeFolder(path)));
    expect(existsSync(path)).toBe(true);
  });

  it('is not made where a file, or a link that leads nowhere, is in the way', async () => {
    const top = testFolder('folder');
    writeFileSync(join(top, 'file'), '');
    symlinkSync(join(top, 'gone'), join(top, 'link'));
    const code = (path: string) => makeFolder(path).catch((error: NodeJS.ErrnoException) => error.code);
    expect(await code(join(top, 'file'))).toBe('EEXIST');
    expect(await code(join(top, 'file', 'below'))).toBe('ENOTDIR');
    expect(await code(join(top, 'link'))).toBe('ENOENT');
    expect(await nearestExisting(join(top, 'link'))).toBe(join(top, 'link'));
  });

  it.runIf(process.platform === 'linux')('is refused at once where the system has no folders', async () => {
    for (const path of ['/proc/none', '/proc/none/below', '/sys/none/below'])
      await expect(nearestExisting(path)).rejects.toMatchObject({ code: 'ENOTSUP' });
    await expect(makeFolder('/proc/none/below')).rejects.toMatchObject({ code: 'ENOTSUP', syscall: 'mkdir' });
  });
});
