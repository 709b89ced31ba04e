import { expect, test } from 'vitest';
import { AgentError } from '../../src/core/errors.ts';
import type { CertificateList } from '../../src/operations/certs.ts';
import { cli, day, now, task } from './fixture.ts';

const list: CertificateList = {
  asOf: now,
  certificates: [
    {
      id: 'example.com/*.example.com/ec',
      domain: 'example.com',
      names: ['example.com', '*.example.com'],
      source: 'acme',
      state: 'ok',
      expiresAt: now + 59 * day,
      issuer: 'letsencrypt',
      keyType: 'p256',
      serial: '04ab',
    },
    {
      id: 'example.org/a.example.org/fallback',
      domain: 'example.org',
      names: ['a.example.org'],
      source: 'self-signed',
      state: 'self-signed',
      expiresAt: now - 3 * 3_600_000,
      keyType: 'p256',
    },
  ],
};

test('certs list is a table with relative times', async () => {
  const { stdout, code } = await cli(['certs', 'list'], { answer: list });
  expect(stdout).toBe(
    [
      'ID                                  DOMAIN       EXPIRES      ISSUER       STATE',
      'example.com/*.example.com/ec        example.com  in 59 days   letsencrypt  ok',
      'example.org/a.example.org/fallback  example.org  3 hours ago  -            self-signed',
      '',
    ].join('\n'),
  );
  expect(code).toBe(0);
});

test('--json has ISO times, --quiet the ids alone', async () => {
  const asJson = await cli(['--json', 'certs', 'list'], { answer: list });
  expect(JSON.parse(asJson.stdout).certificates[0].expiresAt).toBe('2027-01-18T12:00:00.000Z');
  const quiet = await cli(['certs', 'list', '-q'], { answer: list });
  expect(quiet.stdout).toBe('example.com/*.example.com/ec\nexample.org/a.example.org/fallback\n');
});

test('a dry run of renew-all is its plan', async () => {
  const step = { lineage: 'a.test/a.test/ec', domain: 'a.test', names: ['a.test'], reason: 'due' };
  const plan = [
    { ...step, expiresAt: now + 9 * day },
    { ...step, lineage: 'b.test/b.test/ec', reason: 'missing' },
  ];
  const { stdout } = await cli(['renew-all', '--dry-run'], { answer: { lineages: 2, plan, asOf: now } });
  expect(stdout).toBe(
    [
      '   CERTIFICATE       EXPIRES    REASON   ORDER',
      '1  a.test/a.test/ec  in 9 days  due      now',
      '2  b.test/b.test/ec  -          missing  now',
      '2 certificates would be renewed in this order; nothing was changed',
      '',
    ].join('\n'),
  );
});

test('without --wait the task is named', async () => {
  const { stdout, code } = await cli(['renew-all'], { answer: { taskId: 'task-1', lineages: 3, asOf: now } });
  expect(stdout).toBe(
    '3 certificates to renew as task-1; see how it goes with: acme-agent task show task-1\n',
  );
  expect(code).toBe(0);
});

test('with --wait the task is followed to its end', async () => {
  const states = [
    task([{ id: 'a', state: 'waiting' }]),
    task([{ id: 'a', state: 'done', note: '04ab' }], { state: 'done', finishedAt: now }),
  ];
  const { stdout, stderr, code } = await cli(['renew', 'a.test', '--wait'], {
    answer: { taskId: 'task-1', lineages: ['a'] },
    states,
  });
  expect(stderr).toBe('1/1 done a (04ab)\n');
  expect(stdout).toBe('1 issued, 0 failed, 0 not needed\n');
  expect(code).toBe(0);
});

test('a task that ends with failures is exit code 5, and says which', async () => {
  const items = [
    { id: 'a', state: 'skipped', note: 'not due' },
    { id: 'b', state: 'failed', note: 'no DNS' },
  ] as const;
  const { stdout, code } = await cli(['renew-all', '--wait', '--force'], {
    answer: { taskId: 'task-1', lineages: 2, asOf: now },
    states: [task(items, { state: 'failed', finishedAt: now })],
  });
  expect(stdout).toBe(
    '0 issued, 1 failed, 1 not needed\n  a: not due\n  b: no DNS\nwhat to do about it: acme-agent why NAME\n',
  );
  expect(code).toBe(5);
});

test('what strangers said is no command to the terminal', async () => {
  const hostile = 'it answered \u001b]0;owned\u0007\u009b2J\rx';
  const [harmless, states] = [
    'it answered  ]0;owned  2J x',
    [task([{ id: 'a', state: 'failed', note: hostile }], { state: 'failed', finishedAt: now })],
  ];
  const answer = { taskId: 'task-1', lineages: 1, asOf: now };
  expect((await cli(['renew-all', '--wait'], { answer, states })).stdout).toContain(`a: ${harmless}`);
  const refused = new AgentError('command.conflict', hostile);
  expect((await cli(['domains', 'list'], { answer: refused })).stderr).toContain(harmless);
});

test('an interrupted wait leaves the task going and says how to see it', async () => {
  let interrupt = () => {};
  const started = cli(['renew-all', '--wait'], {
    answer: { taskId: 'task-1', lineages: 1, asOf: now },
    states: [task([{ id: 'a', state: 'waiting' }])],
    onSignal: (_, run) => {
      interrupt = run;
      setTimeout(run, 10);
      return () => {};
    },
  });
  const { stderr, code, closed } = await started;
  interrupt();
  expect(stderr).toBe('acme-agent: no longer waiting; the task goes on: acme-agent task show task-1\n');
  expect([code, closed]).toEqual([1, true]);
});

test.each([
  [new AgentError('store.notRunning', 'nobody listens'), 3],
  [new AgentError('command.conflict', 'a wave is running; wait'), 4],
  [new Error('what is this'), 1],
])('%s ends with its exit code after the client was closed', async (answer, exit) => {
  const { code, stderr, closed } = await cli(['domains', 'list'], { answer });
  expect(code).toBe(exit);
  expect(stderr).toMatch(/^acme-agent: .*\n$/);
  expect(closed).toBe(true);
});

test('mistakes in the configuration are all told, and nothing is asked', async () => {
  const { code, stderr, asked } = await cli(['domains', 'list'], {
    config: 'colour: blue\nrenewal: { ceilingDays: none }',
  });
  expect(code).toBe(2);
  expect(asked).toEqual([]);
  const [head, ...mistakes] = stderr.trimEnd().split('\n');
  expect(head).toMatch(/^acme-agent: 2 mistakes in the configuration\./);
  expect(mistakes).toEqual([
    expect.stringMatching(/:2: .*colour/),
    expect.stringMatching(/:3: renewal\.ceilingDays/),
  ]);
});

test('a stack is printed at log level debug alone', async () => {
  const answer = new Error('what is this');
  expect((await cli(['domains', 'list'], { answer })).stderr).not.toContain('run.test.ts');
  const debug = await cli(['domains', 'list'], { answer, config: 'log: { level: debug }' });
  expect(debug.stderr).toContain('run.test.ts');
});

test('why of a name that is not known tells so, and ends as other commands do for what is not there', async () => {
  const about = (unknown?: object) => ({
    asOf: now,
    host: 'a.test',
    certificates: [],
    unknown,
    lines: ['Nothing.'],
  });
  const code = async (answer: object, ...flags: string[]) =>
    (await cli(['why', 'a.test', ...flags], { answer })).code;
  expect(await cli(['why', 'a.test'], { answer: about({ reason: 'no-domain' }) })).toMatchObject({
    code: 4,
    stdout: 'Nothing.\n',
  });
  expect(await code(about({ reason: 'no-host', domain: 'test' }), '--json')).toBe(4);
  expect(await code(about({ reason: 'disabled', domain: 'a.test' }))).toBe(0);
  expect(await code(about())).toBe(0);
});

test('a refusal names the option as it is typed', async () => {
  const message = 'keyTypes: give at most one ECDSA and one RSA type';
  const answer = new AgentError('command.invalid', message);
  const argv = ['domains', 'set', 'a.test', '--key-types', 'p256,p384'];
  const { code, stderr } = await cli(argv, { answer });
  expect([code, stderr]).toEqual([4, 'acme-agent: --key-types: give at most one ECDSA and one RSA type.\n']);
});
