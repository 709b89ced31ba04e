import { expect, test } from 'vitest';
import { errorText, exitCodeOf, exitCodes, exitTable } from '../../src/cli/exit.ts';
import { AgentError, type ErrorCode, errorTable } from '../../src/core/errors.ts';

test('an error is one line: what happened, and what to do', () => {
  const error = new AgentError('store.notRunning', 'the agent of /var/lib/acme-agent is not running');
  expect(errorText(error)).toBe(
    'acme-agent: the agent of /var/lib/acme-agent is not running. Start it with "acme-agent start".\n',
  );
});

test('a refused command carries its own remedy, and advice that is there is not said twice', () => {
  const refused = new AgentError(
    'command.conflict',
    'a.test is defined in the configuration file (line 3); change it there',
  );
  expect(errorText(refused)).toBe(
    'acme-agent: a.test is defined in the configuration file (line 3); change it there.\n',
  );
  const twice = new AgentError('store.eviction', `Redis evicts. ${errorTable['store.eviction'].advice}`);
  expect(errorText(twice)).toBe(`acme-agent: Redis evicts. ${errorTable['store.eviction'].advice}\n`);
});

test('only mistakes in the configuration take several lines', () => {
  const mistakes = new AgentError('config.invalid', 'a.yaml:1: x: is wrong\na.yaml:9: y: is missing');
  expect(errorText(mistakes)).toBe(
    [
      `acme-agent: 2 mistakes in the configuration. ${errorTable['config.invalid'].advice}`,
      '  a.yaml:1: x: is wrong',
      '  a.yaml:9: y: is missing',
      '',
    ].join('\n'),
  );
  expect(errorText(new AgentError('config.invalid', 'a.yaml:1: x: is wrong')).split('\n')).toHaveLength(2);
  expect(errorText(new AgentError('net.failed', 'two\nlines')).split('\n')).toHaveLength(2);
});

test('a stack is shown only at log level debug', () => {
  const fault = new TypeError('x is not a function');
  expect(errorText(fault)).toMatch(/^acme-agent: unexpected: x is not a function\. .*\n$/);
  expect(errorText(fault, { debug: true })).toContain('exit.test.ts');
});

test.each<[ErrorCode, number]>([
  ['config.invalid', 2],
  ['config.unreadable', 2],
  ['config.port', 2],
  ['store.notRunning', 3],
  ['store.unavailable', 3],
  ['store.masterKey', 2],
  ['store.noServer', 2],
  ['store.lost', 1],
  ['command.conflict', 4],
  ['command.notFound', 4],
  ['bug', 1],
])('%s ends with %i', (code, exit) => {
  expect(exitCodeOf(new AgentError(code, 'x'))).toBe(exit);
});

test('every exit code is documented once', () => {
  expect(exitTable.map(([code]) => code)).toEqual(Object.values(exitCodes));
});
