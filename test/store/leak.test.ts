import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { secret } from '../../src/core/secret.ts';
import { openStore, type Store } from '../../src/store/index.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { testFolder } from '../support/run-folder.ts';
import { bundle, domain, issuance, lineage, masterKey, silentLog } from './samples.ts';

/** As it could be written down: raw, hex and both alphabets of base64 at each of the three offsets. */
function spellings(key: Uint8Array): readonly Buffer[] {
  const raw = Buffer.from(key);
  const inner = [0, 1, 2].map((offset) => raw.subarray(offset, offset + 48));
  const texts = [raw.toString('hex'), raw.toString('hex').toUpperCase()];
  for (const part of inner) texts.push(part.toString('base64'), part.toString('base64url'));
  return [raw, ...texts.map((text) => Buffer.from(text.replace(/=+$/, '')))];
}

async function dumpOf(redis: TestRedis, store: Store): Promise<Buffer> {
  const client = store.createConnection('wait');
  const dumps = await Promise.all((await client.keys('*')).map((key) => client.dumpBuffer(key)));
  client.disconnect();
  return Buffer.concat([...dumps.filter((dump) => dump !== null), readAof(redis)]);
}

function readAof(redis: TestRedis): Buffer {
  return readFileSync(join(redis.folder, 'appendonlydir', 'appendonly.aof.1.incr.aof'));
}

test('no key material is in Redis, its log or a backup, in any spelling', async () => {
  // Uncompressed dumps, so that a search sees what is in them.
  const redis = await startRedis({ args: ['--hash-max-listpack-value', '100000'] });
  onTestFinished(() => redis.stop());
  const master = masterKey();
  const store = await openStore({
    redis: { url: redis.url },
    masterKeys: [master],
    clock: systemClock,
    log: silentLog,
  });
  onTestFinished(() => store.close());
  const held = bundle('a.test/www/ec', 1);
  const begun = issuance('b.test/www/ec');
  const accountKey = secret<Uint8Array>(randomBytes(138));
  const pluginToken = secret(randomBytes(60).toString('hex'));
  await store.changes.commit({
    putDomains: [domain('a.test')],
    putLineages: [lineage('a.test/www/ec', 'a.test')],
    generation: held,
    putIssuance: begun,
    events: [{ type: 'certificate.issued', facts: { bundle: held } }],
  });
  await store.accounts.put({
    issuer: 'le',
    directoryUrl: 'https://ca.test',
    key: accountKey,
    contacts: [],
    createdAt: 1,
  });
  await store.pluginStates.set('dns:main', 'token', pluginToken);
  const file = join(testFolder('backup'), 'leak.backup');
  await store.backup(file);

  const planted = randomBytes(64);
  const client = store.createConnection('wait');
  await client.set('planted', planted.toString('base64'));
  client.disconnect();
  const dump = Buffer.concat([await dumpOf(redis, store), readFileSync(file)]);
  const finds = (key: Uint8Array) => spellings(key).some((spelling) => dump.includes(spelling));

  expect(finds(planted)).toBe(true);
  expect(dump.includes(Buffer.from(held.leafDer))).toBe(true);
  for (const key of [held.privateKey, begun.privateKey, accountKey, master])
    expect(finds(key.reveal())).toBe(false);
  expect(finds(Buffer.from(pluginToken.reveal()))).toBe(false);
});
