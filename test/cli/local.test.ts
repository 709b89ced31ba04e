import { expect, test } from 'vitest';
import type { CheckItem } from '../../src/agent.ts';
import { AgentError } from '../../src/core/errors.ts';
import { cli } from './fixture.ts';

const items: readonly CheckItem[] = [
  { name: 'redis', level: 'ok', message: 'Redis 7.2 at unix:/run/redis.sock' },
  { name: 'domain a.test', level: 'warn', message: 'has no host', advice: 'Add one.' },
  { name: 'issuer letsencrypt', level: 'failed', message: 'no answer', advice: 'Check the network.' },
];

test('check lists each thing it looked at, and fails when one of them is wrong', async () => {
  const { code, stdout } = await cli(['check'], { agent: { checkAgent: async () => items } });
  expect(stdout).toBe(
    [
      'ok      redis: Redis 7.2 at unix:/run/redis.sock',
      'warn    domain a.test: has no host. Add one.',
      'FAILED  issuer letsencrypt: no answer. Check the network.',
      '',
    ].join('\n'),
  );
  expect(code).toBe(1);
  const doubted: CheckItem = { name: 'redis', level: 'failed', message: 'is it there?', advice: 'Look.' };
  const said = await cli(['check'], { agent: { checkAgent: async () => [doubted] } });
  expect(said.stdout).toBe('FAILED  redis: is it there? Look.\n');
  const once: CheckItem = { name: 'port', level: 'failed', message: 'taken: free it', advice: 'free it' };
  expect((await cli(['check'], { agent: { checkAgent: async () => [once] } })).stdout).toBe(
    'FAILED  port: taken: free it.\n',
  );
});

test('check warns without failing, also where it is to be quiet', async () => {
  const agent = { checkAgent: async () => items.slice(0, 2) };
  const { code, stdout } = await cli(['check', '--quiet'], { agent });
  expect([code, stdout]).toEqual([0, 'warn    domain a.test: has no host. Add one.\n']);
  expect(JSON.parse((await cli(['check', '--json'], { agent })).stdout)).toMatchObject({ ok: true });
});

test('check as JSON says whether all is well', async () => {
  const { stdout } = await cli(['check', '--json'], { agent: { checkAgent: async () => items } });
  expect(JSON.parse(stdout)).toEqual({ ok: false, items });
});

test('check as JSON answers also for a file with mistakes, one item for each', async () => {
  const config = 'dataDir: 7\nrole: [worker]';
  const { code, stdout, stderr } = await cli(['check', '--json'], { config });
  expect([code, stderr]).toEqual([2, '']);
  expect(JSON.parse(stdout)).toEqual({
    ok: false,
    items: ['2: dataDir: must be text: put it in quotes', '3: role: unknown key, did you mean "roles"?'].map(
      (mistake) => ({
        name: 'configuration',
        level: 'failed',
        message: expect.stringMatching(
          new RegExp(`^/.*acme-agent\\.yaml:${mistake.replace(/[?[\]]/g, '.')}$`),
        ),
        advice: expect.stringContaining('Correct the configuration file'),
      }),
    ),
  });
});

test('backup and restore hand the file on', async () => {
  const files: unknown[] = [];
  const agent = {
    backupAgent: async (_: unknown, file: string) => void files.push(file),
    restoreAgent: async (_: unknown, file: string, options: object) => void files.push([file, options]),
  };
  expect((await cli(['backup', 'a.bak'], { agent })).stdout).toContain('wrote a.bak');
  expect((await cli(['restore', 'a.bak', '--force'], { agent })).code).toBe(0);
  await cli(['restore', 'b.bak', '-q'], { agent });
  expect(files).toEqual(['a.bak', ['a.bak', { force: true }], ['b.bak', { force: false }]]);
});

test('a refused restore is told with its remedy', async () => {
  const restoreAgent = async () => {
    throw new AgentError('store.backup', 'a.bak was made with another master key');
  };
  const { code, stderr } = await cli(['restore', 'a.bak'], { agent: { restoreAgent } });
  expect(code).toBe(1);
  expect(stderr).toBe(
    'acme-agent: a.bak was made with another master key. Check the backup file and that the master key is the one it was made with.\n',
  );
});
