import { expect, test } from 'vitest';
import { shapeOf } from '../../src/cli/arguments.ts';
import { parseInput } from '../../src/operations/command.ts';
import { operations } from '../../src/operations/index.ts';
import { cli } from './fixture.ts';

test.each([
  [['domains', 'list'], 'domains.list', {}],
  [
    [
      'domains',
      'add',
      'Example.com',
      '--mode',
      'individual',
      '--issuers',
      'a,b',
      '--hosts',
      'x.example.com, y.example.com',
    ],
    'domains.add',
    {
      name: 'example.com',
      mode: 'individual',
      issuers: ['a', 'b'],
      hosts: ['x.example.com', 'y.example.com'],
    },
  ],
  [
    [
      'domains',
      'set',
      'example.com',
      '--dns-account',
      'route53',
      '--profile-required',
      '--unset',
      'challenge',
    ],
    'domains.set',
    { name: 'example.com', dnsAccount: 'route53', profileRequired: true, unset: ['challenge'] },
  ],
  [['domains', 'set', 'example.com', '--notify', ''], 'domains.set', { name: 'example.com', notify: [] }],
  [['domains', 'remove', 'example.com', '--force'], 'domains.remove', { name: 'example.com', force: true }],
  [
    ['hosts', 'add', 'a.example.com', 'b.example.com'],
    'hosts.add',
    { names: ['a.example.com', 'b.example.com'] },
  ],
  [['certs', 'list', '--domain', 'example.com', '--all'], 'certs.list', { domain: 'example.com', all: true }],
  [['certs', 'show', 'cert-1'], 'certs.show', { id: 'cert-1' }],
  [['issue', 'a.example.com', '*.example.com'], 'issue', { names: ['a.example.com', '*.example.com'] }],
  [
    ['renew', 'example.com/a.example.com/ec', '--force'],
    'renew',
    { target: 'example.com/a.example.com/ec', force: true },
  ],
  [['retry', 'a.example.com'], 'retry', { target: 'a.example.com' }],
  [['budget'], 'budget', { names: [] }],
  [
    ['budget', 'a.example.com', 'b.example.com', '--issuer', 'le'],
    'budget',
    { names: ['a.example.com', 'b.example.com'], issuer: 'le' },
  ],
  [
    ['renew-all', '--dry-run', '--domain', 'example.com'],
    'renew-all',
    { dryRun: true, domain: 'example.com' },
  ],
  [['task', 'list', '--limit', '5'], 'task.list', { limit: 5 }],
  [['ack', 'a.example.com', '--for', '2d'], 'ack', { name: 'a.example.com', for: '2d' }],
  [['why', 'a.example.com'], 'why', { host: 'a.example.com' }],
])('%j asks for %s', async (argv, operation, input) => {
  const { asked, closed } = await cli([...argv, '--json'], { answer: {} });
  expect(asked).toEqual([{ operation, input }]);
  expect(closed).toBe(true);
});

test.each([
  [
    ['hosts', 'add', '-bad-.example.com'],
    "acme-agent: unknown option '-bad-.example.com'. See acme-agent --help.\n",
  ],
  [
    ['hosts', 'add', 'nohost'],
    'acme-agent: hosts add: <names>: "nohost" is not a host name: it has only one label.\n',
  ],
  [
    ['domains', 'add', 'example.com', '--mode', 'x'],
    'acme-agent: domains add: --mode must be auto or wildcard or individual or custom, not "x".\n',
  ],
  [
    ['domains', 'add', 'example.com', '--key-types', 'p256,rsa'],
    'acme-agent: domains add: --key-types must be p256 or p384 or rsa2048 or rsa3072 or rsa4096, not "rsa".\n',
  ],
  [['hosts', 'add', 'a..example.com'], 'acme-agent: hosts add: <names>: "a..example.com" is not a host name'],
  [['certs', 'list', 'extra'], 'but got 1. See acme-agent --help.\n'],
  [['task', 'list', '--limit', 'many'], 'acme-agent: task list: --limit must be a number, not "many".\n'],
  [['task', 'list', '--limit', '1.5'], 'acme-agent: task list: --limit must be a whole number.\n'],
  [['certs', 'show'], "acme-agent: missing required argument 'id'. See acme-agent --help.\n"],
  [['certs', 'lst'], "acme-agent: unknown command 'lst' (Did you mean list?). See acme-agent --help.\n"],
  [['renew-all', '--al'], "acme-agent: unknown option '--al'. See acme-agent --help.\n"],
  [
    ['start', '--roles', 'boss'],
    'There is no role "boss"; roles: scheduler, worker, edge. See acme-agent --help.\n',
  ],
])('%j is refused on one line, and nothing is asked of the agent', async (argv, message) => {
  const { code, stderr, asked } = await cli(argv);
  expect(stderr).toContain(message);
  expect(stderr.split('\n')).toHaveLength(2);
  expect(code).toBe(2);
  expect(asked).toEqual([]);
});

test('every operation has a command with a summary, and a summary for each of its fields', async () => {
  for (const operation of operations.filter(({ isForPrograms }) => isForPrograms !== true)) {
    const { noun, verb, args, options } = shapeOf(operation);
    const { stdout, code } = await cli([...(noun === undefined ? [] : [noun]), verb, '--help']);
    expect(code).toBe(0);
    expect(stdout).toContain(operation.summary.slice(0, 30));
    for (const { field } of [...args, ...options])
      expect([operation.name, field.name, field.summary]).not.toContain('');
  }
});

test('help and version end well; a bare call shows the help and is a mistake', async () => {
  const help = await cli(['--help']);
  expect(help.code).toBe(0);
  expect(help.stdout).toContain('renew-all');
  expect(help.stdout).toContain(
    '5  done in part: the task that was waited for, the import or the probe left something undone',
  );
  expect((await cli(['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  expect((await cli([])).code).toBe(2);
  expect((await cli(['domains'])).code).toBe(2);
});

test('what the shape makes of nothing is valid wherever no field is required', () => {
  for (const operation of operations.filter((one) => shapeOf(one).args.length === 0))
    expect(parseInput(operation, {})).toEqual({});
});
