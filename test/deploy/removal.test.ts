import { mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Deployer } from '../../src/core/ports.ts';
import { testFolder } from '../support/run-folder.ts';
import {
  createFilesTarget,
  createManualClock,
  deployNow,
  linkOf,
  makeBundle,
  quiet,
  signal,
  slot,
  slotOf,
  storeOf,
} from './fixture.ts';

const domainOf = (path: string) => join(path, 'example.com');

async function deployed(
  slots = [slot],
): Promise<{ readonly path: string; readonly target: Deployer & Required<Pick<Deployer, 'remove'>> }> {
  const path = testFolder('removal');
  const target = await createFilesTarget({ path });
  for (const one of slots) await deployNow(target, { bundle: await makeBundle([one.label]), slot: one });
  const { remove } = target;
  if (remove === undefined) throw new Error('the target removes nothing');
  return { path, target: { ...target, remove } };
}

describe('files of a certificate that was purged', () => {
  it('go with all their generations, and with the folders that held nothing else', async () => {
    const { path, target } = await deployed();
    await deployNow(target, { bundle: await makeBundle([slot.label]), slot });
    expect(readdirSync(storeOf(path))).toEqual(['1', '2']);
    mkdirSync(join(storeOf(path), '3'));
    await target.remove(slot, signal);
    expect(readdirSync(path)).toEqual([]);
    await target.remove(slot, signal);
  });

  it('leave what lies beside them', async () => {
    const other = slotOf('api.example.com');
    const { path, target } = await deployed([slot, other]);
    writeFileSync(join(domainOf(path), 'notes.txt'), 'mine');
    await target.remove(slot, signal);
    expect(readdirSync(domainOf(path)).sort()).toEqual(['.generations', 'api.example.com', 'notes.txt']);
    expect(await target.observe(other, signal)).toBeDefined();
    await target.remove(other, signal);
    expect(readdirSync(domainOf(path))).toEqual(['notes.txt']);
  });

  it('go without what somebody put in place of their link', async () => {
    const { path, target } = await deployed();
    rmSync(linkOf(path));
    mkdirSync(linkOf(path));
    writeFileSync(join(linkOf(path), 'fullchain.pem'), 'mine');
    await target.remove(slot, signal);
    expect(readdirSync(domainOf(path))).toEqual(['www.example.com']);
    expect(readdirSync(linkOf(path))).toEqual(['fullchain.pem']);
  });

  it.each(['.generations', '.generations/www.example.com'])(
    'stay where %s leads elsewhere, and that is said',
    async (name) => {
      const { path, target } = await deployed();
      const moved = join(testFolder('elsewhere'), 'moved');
      renameSync(join(domainOf(path), name), moved);
      symlinkSync(moved, join(domainOf(path), name));
      const refusal = { code: 'deploy.target', message: expect.stringContaining('is not a directory') };
      await expect(target.remove(slot, signal)).rejects.toMatchObject(refusal);
      expect(readdirSync(moved)).not.toEqual([]);
    },
  );

  it('are missed by nobody: the look for leftovers of writers that comes later finds nothing', async () => {
    const path = testFolder('removal');
    const clock = createManualClock();
    const warnings: string[] = [];
    const log = { ...quiet, warn: (_: object, message: string) => void warnings.push(message) };
    const target = await createFilesTarget({ path }, { clock, log });
    await deployNow(target, { bundle: await makeBundle([slot.label]), slot });
    mkdirSync(join(storeOf(path), '77'));
    await deployNow(target, { bundle: await makeBundle([slot.label]), slot });
    await target.remove?.(slot, signal);
    clock.advance(10 * 60_000);
    // Behind the look, which is about the same path.
    await target.remove?.(slot, signal);
    expect(warnings).toEqual([]);
  });
});
