import { chmodSync, existsSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { errorsOf } from '../../src/core/together.ts';
import { testFolder } from '../support/run-folder.ts';
import { asOrdinaryUser, createFilesTarget, signal } from './fixture.ts';

type Given = Parameters<typeof createFilesTarget>[0];

async function check(given: Given): Promise<void> {
  const target = await createFilesTarget(given);
  await target.check?.(signal);
}

describe('a check of the files target', () => {
  it('is content with a folder that can be made, and does not make it', async () => {
    const folder = testFolder('files');
    const path = join(folder, 'deep', 'down');
    await check({ path, owner: process.geteuid?.(), group: process.getegid?.(), reload: ['true'] });
    expect(readdirSync(folder)).toEqual([]);
  });

  it('does not run the reload, and changes no rights', async () => {
    const folder = testFolder('files');
    chmodSync(folder, 0o755);
    const mark = join(folder, 'mark');
    await check({ path: folder, reload: ['touch', mark] });
    await check({ path: folder, reload: [writeProgram(folder, 'reload', 0o700)] });
    expect(existsSync(mark)).toBe(false);
    expect(statSync(folder).mode & 0o777).toBe(0o755);
  });

  it.each(['file', 'file/below'])('refuses %s, where a file is in the way', async (name) => {
    const folder = testFolder('files');
    writeFileSync(join(folder, 'file'), '');
    await expect(check({ path: join(folder, name) })).rejects.toMatchObject({
      code: 'deploy.target',
      message: expect.stringMatching(/not a directory.*; move it or choose another path$/),
    });
  });

  it.each([{ owner: 'no-such-user' }, { group: 'no-such-group' }])('refuses %j', async (who) => {
    await expect(check({ path: testFolder('files'), ...who })).rejects.toMatchObject({
      code: 'deploy.target',
      message: expect.stringMatching(/^this machine has no (user|group) "no-such-/),
    });
  });

  it('tells all that is wrong at once', async () => {
    const folder = testFolder('files');
    writeFileSync(join(folder, 'file'), '');
    const given = {
      path: join(folder, 'file'),
      owner: 'no-such-user',
      group: 'no-such-group',
      reload: ['no-such-program'],
    };
    const error: unknown = await check(given).catch((reason: unknown) => reason);
    expect(errorsOf(error).map(String)).toEqual([
      expect.stringContaining('is not a directory'),
      expect.stringContaining('no user "no-such-user"'),
      expect.stringContaining('no group "no-such-group"'),
      expect.stringContaining('the program no-such-program'),
    ]);
  });

  it.runIf(process.platform === 'linux')('refuses a path where no folder can be', async () => {
    await expect(check({ path: '/proc/none/certs' })).rejects.toMatchObject({
      code: 'deploy.target',
      message: expect.stringContaining('the file system takes no folders; choose another path'),
    });
  });

  it('refuses an owner that only root can give files to', async () => {
    await asOrdinaryUser(async (folder) => {
      await expect(check({ path: join(folder, 'certs'), owner: 0 })).rejects.toMatchObject({
        code: 'deploy.target',
        message: expect.stringContaining('only root may give files away; run the agent as root'),
      });
    });
  });

  it('refuses a reload program that is not there, not a program, or not on the PATH of the reload', async () => {
    const folder = testFolder('files');
    const refused = (program: string) => ({
      code: 'deploy.reload',
      message: `the program ${program} of the reload of edge is not there, or may not be run`,
    });
    for (const program of [
      'no-such-program',
      join(folder, 'none'),
      writeProgram(folder, 'plain', 0o600),
      folder,
    ])
      await expect(check({ path: folder, reload: [program] })).rejects.toMatchObject(refused(program));
    // What the environment of a reload says counts as a secret: a folder that no message above names.
    const PATH = testFolder('bin');
    writeProgram(PATH, 'only-here', 0o700);
    await check({ path: folder, reload: ['only-here'], reloadEnv: { PATH } });
    await expect(check({ path: folder, reload: ['only-here'] })).rejects.toMatchObject(refused('only-here'));
  });
});

function writeProgram(folder: string, name: string, mode: number): string {
  const path = join(folder, name);
  writeFileSync(path, '#!/bin/sh\n', { mode });
  return path;
}
