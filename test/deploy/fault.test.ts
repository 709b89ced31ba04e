import { writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { AgentError } from '../../src/core/errors.ts';
import { guarded } from '../../src/deploy/fault.ts';

describe('a fault of the file system', () => {
  it('that is a full disk says so and names the path', async () => {
    const fault = guarded('/dev/full', () => writeFile('/dev/full', 'x'));
    await expect(fault).rejects.toMatchObject({
      code: 'deploy.target',
      message: '/dev/full: the disk is full; free some space there',
      facts: { path: '/dev/full', errno: 'ENOSPC' },
    });
  });

  it('keeps an error that explains itself, and one that is none of the file system', async () => {
    const known = new AgentError('deploy.mismatch', 'known');
    await expect(guarded('/x', () => Promise.reject(known))).rejects.toBe(known);
    const bug = new TypeError('not a function');
    await expect(guarded('/x', () => Promise.reject(bug))).rejects.toBe(bug);
  });
});
