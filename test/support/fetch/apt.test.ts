import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { testFolder } from '../run-folder.ts';
import { noVerifier, privatePackages } from './apt.ts';

test('without gpgv nothing is fetched, and that is what is said', async () => {
  const folder = testFolder('apt');
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  for (const program of ['apt-get', 'dpkg'])
    writeFileSync(join(bin, program), '#!/bin/sh\necho unsigned >&2; exit 100\n', { mode: 0o755 });
  const path = process.env.PATH;
  onTestFinished(() => {
    process.env.PATH = path;
  });
  process.env.PATH = bin;
  const unpack = () => privatePackages(folder)?.unpack(['redis-server'], undefined, join(folder, 'target'));
  await expect(unpack()).rejects.toThrow(noVerifier);
  writeFileSync(join(bin, 'gpgv'), '#!/bin/sh\n', { mode: 0o755 });
  await expect(unpack()).rejects.toThrow('unsigned');
});
