import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createSniResolver } from '../../src/index.ts';
import { askerAclRules, readerAclRules } from '../../src/store/acl.ts';
import { keyPem, newKey } from '../support/forge.ts';
import { until } from '../support/process.ts';
import { sendToRedis } from '../support/resp.ts';
import { projectRoot } from '../support/root.ts';
import { type Site, startSite } from './sni-kit.ts';

let site: Site;

beforeAll(async () => {
  site = await startSite(randomBytes(32).toString('base64'));
});

afterAll(() => site?.stop());

describe('the rights of a resolver', () => {
  test('are those that the README gives', () => {
    const readme = readFileSync(join(projectRoot, 'README.md'), 'utf8');
    const given = readme.split('```').filter((block) => block.includes('resetkeys'))[1];
    expect(given?.trim().split(/\s+/)).toEqual(readerAclRules.split(' '));
    expect(readme).toContain(`\`${askerAclRules}\``);
  });

  test('to tell of hosts that clients ask for are one channel more, and nothing to write', async () => {
    const { port } = site.redis;
    const heard: string[] = [];
    const stop = site.store.hostAsks.hear((name) => heard.push(name));
    const client = new Redis({ port, username: 'acme-asking', password: site.password });
    try {
      await until('it is heard', async () => {
        await client.publish('{acme}:hosts-asked', 'a.example.com');
        return heard.length > 0;
      });
      for (const command of [
        ['PUBLISH', '{acme}:released', 'x'],
        ['PUBLISH', '{acme}:fetched', 'x'],
        ['SUBSCRIBE', '{acme}:fetched'],
        ['SET', '{acme}:asked:a.example.com', 'x'],
        ['HSET', '{acme}:hosts:example.com', 'a.example.com', '{}'],
        ['ZADD', '{acme}:waiting-hosts', '1', 'x'],
        ['GET', '{acme}:asked:a.example.com'],
        ['HGETALL', '{acme}:accounts'],
      ] as const) {
        const [name, ...args] = command;
        await expect(client.call(name, ...args)).rejects.toThrow(/NOPERM|permission/i);
      }
    } finally {
      stop();
      client.disconnect();
    }
  });

  test('without that channel a resolver for hosts on demand does not open, and says so', async () => {
    const { asking, options } = site;
    await expect(createSniResolver({ ...asking, redis: options.redis })).rejects.toMatchObject({
      code: 'store.unavailable',
      message: expect.stringMatching(/NOPERM.*publish/),
    });
  });

  test('read what is shown and nothing else, and write nothing', async () => {
    const { port } = site.redis;
    const asReader = async (...command: readonly string[]) => {
      const [name = '', ...args] = command;
      const client = new Redis({ port, username: 'acme-sni', password: site.password, lazyConnect: true });
      try {
        return await client.call(name, ...args);
      } finally {
        client.disconnect();
      }
    };
    expect(await asReader('HGET', '{acme}:meta', 'schema')).toBe('1');
    for (const command of [
      ['HGETALL', '{acme}:accounts'],
      ['HGETALL', '{acme}:issuances'],
      ['HSET', '{acme}:meta', 'schema', '2'],
      ['EVAL', "return redis.call('HSET', KEYS[1], 'x', 'y')", '1', '{acme}:bindings'],
      ['PUBLISH', '{acme}:served-changed', ''],
      ['KEYS', '*'],
    ])
      await expect(asReader(...command)).rejects.toThrow(/NOPERM|permission|not allowed|can't run/i);
    expect(await sendToRedis({ port }, 'PING')).toContain('PONG');
  });
});

test('what keeps it from opening is named', async () => {
  const { redis = {}, masterKey } = site.options;
  const refused = (options: object) => expect(createSniResolver({ logLevel: 'error', ...options })).rejects;
  await refused({}).toMatchObject({ code: 'config.invalid' });
  await refused({ redis }).toMatchObject({ code: 'config.invalid' });
  await refused({ redis, masterKey, maxContexts: 0 }).toMatchObject({ code: 'config.invalid' });
  for (const endpoint of ['web', 'web:http', 'www.example.com:443', 'web:70000'])
    await refused({ redis, masterKey, endpoint }).toMatchObject({ code: 'config.invalid' });
  const defaultCertificate = { cert: '', key: keyPem(newKey()) };
  await refused({ redis, masterKey, defaultCertificate }).toMatchObject({ code: 'config.invalid' });
  const other = randomBytes(32).toString('base64');
  await refused({ redis, masterKey: other }).toMatchObject({ code: 'store.masterKey' });
  await refused({ redis, masterKey: 'short' }).toMatchObject({ code: 'store.masterKey' });
  await refused({ redis, masterKey: { file: '/nowhere/key' } }).toMatchObject({ code: 'store.masterKey' });
  await refused({ redis: { ...redis, password: 'wrong' }, masterKey }).toMatchObject({
    code: 'store.unavailable',
    message: expect.stringContaining('WRONGPASS'),
  });
  const open = { url: `redis://127.0.0.1:${site.redis.port}` };
  await refused({ redis: open, masterKey, prefix: 'nothing' }).toMatchObject({ code: 'store.notRunning' });
});
