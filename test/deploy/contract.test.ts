import { readFile, rename, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describeDeployTarget } from '../contract/deploy-target.ts';
import { testFolder } from '../support/run-folder.ts';
import { createFilesTarget } from './fixture.ts';

describeDeployTarget('files', async () => {
  const path = testFolder('files');
  const domain = join(path, 'example.com');
  const [generations, moved] = [join(domain, '.generations'), join(domain, '.moved')];

  return {
    create: () => createFilesTarget({ path }),
    read: async ({ label, keyClass }) => {
      const name = label.replace('*', '_wildcard') + (keyClass === 'rsa' ? '.rsa' : '');
      const pem = await readFile(join(domain, name, 'combined.pem'), 'utf8').catch(() => undefined);
      return pem === undefined ? undefined : { certificatePem: pem, keyPem: pem };
    },
    // A link where the target made a directory: readable as before, and refused for writing, by root too.
    breakTarget: async () => {
      await rename(generations, moved);
      await symlink(moved, generations);
      return async () => {
        await rm(generations);
        await rename(moved, generations);
      };
    },
    close: () => rm(path, { recursive: true }),
  };
});
