import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { secret } from '../../src/core/secret.ts';
import { createHints } from '../../src/store/pubsub.ts';
import { createClientFor } from '../../src/store/redis.ts';
import { canary } from '../support/canaries.ts';
import { createMemoryLog } from '../support/memory.ts';
import { startRedis } from '../support/redis.ts';
import { sendToRedis } from '../support/resp.ts';
import { testFolder } from '../support/run-folder.ts';

const channel = '{acme}:told';

test('hints whose channel is taken away are told as not heard, end nothing, and come back with it', async () => {
  const password = canary();
  const aclFile = join(testFolder('hints-acl'), 'users.acl');
  const users = ['user default on nopass ~* &* +@all', `user hints on >${password} ~* &* +@all`];
  writeFileSync(aclFile, `${users.join('\n')}\n`, { mode: 0o600 });
  const redis = await startRedis({ aclFile });
  onTestFinished(() => redis.stop());
  const asAdmin = (command: string) => sendToRedis({ port: redis.port }, command);
  const log = createMemoryLog();
  const options = { url: `redis://127.0.0.1:${redis.port}`, username: 'hints', password: secret(password) };
  const hints = createHints(() => createClientFor(options, 'wait', log), log);
  onTestFinished(() => hints.close());
  let heard = 0;
  hints.listen(channel, () => heard++);
  const hearsAgain = () => {
    const before = heard;
    return vi.waitFor(async () => {
      await asAdmin(`PUBLISH ${channel} x`);
      expect(heard).toBeGreaterThan(before);
    }, patience);
  };
  const patience = { timeout: 20_000, interval: 100 };

  await hearsAgain();
  await asAdmin('ACL SETUSER hints resetchannels');
  await asAdmin('CLIENT KILL USER hints');
  await vi.waitFor(
    () => expect(log.lines.join('\n')).toContain('hints from other agents are not heard'),
    patience,
  );
  await asAdmin('ACL SETUSER hints &*');
  await asAdmin('CLIENT KILL USER hints');
  await hearsAgain();
});
