import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isAgentError } from '../../src/core/errors.ts';
import { parseCommand } from '../../src/operations/command.ts';
import { findOperation, operations } from '../../src/operations/index.ts';

const refusalOf = (name: string, data: unknown): string => {
  try {
    parseCommand(name, data);
  } catch (error) {
    if (isAgentError(error)) return `${error.code}: ${error.message}`;
    throw error;
  }
  return 'accepted';
};

test('a command in the documented form is parsed into its canonical form', () => {
  const data = {
    v: 1,
    input: { names: ['Shop.Example.COM.'] },
    requestedBy: 'platform',
    idempotencyKey: 'k1',
  };
  expect(parseCommand('hosts.add', data)).toEqual({
    operation: findOperation('hosts.add'),
    input: { names: ['shop.example.com'] },
    caller: { requestedBy: 'platform', idempotencyKey: 'k1' },
  });
  expect(parseCommand('renew-all', { v: 1 }).input).toEqual({});
});

describe('what is wrong is named with its field and remedy', () => {
  test.each([
    ['renew-al', { v: 1 }, 'command.unknown: there is no operation "renew-al"; do you mean renew-all?'],
    ['frobnicate-everything', { v: 1 }, 'there are: domains.list, domains.show'],
    ['constructor', { v: 1 }, 'command.unknown: there is no operation "constructor"'],
    ['renew-all', undefined, 'renew-all: the data is not JSON; send {"v": 1, "input": {}}'],
    ['renew-all', 'now', 'renew-all: data must be an object'],
    ['renew-all', {}, 'renew-all: v is missing; must be 1'],
    ['renew-all', { v: 2 }, 'renew-all: v must be 1'],
    ['renew-all', { v: 1, force: true }, 'data has an unknown field "force"; leave it out'],
    ['renew-all', { v: 1, input: { all: true } }, 'input has an unknown field "all"; leave it out'],
    ['renew-all', { v: 1, input: { force: 'yes' } }, 'renew-all: force must be true or false'],
    ['renew-all', { v: 1, input: [] }, 'renew-all: input must be an object'],
    [
      'renew-all',
      { v: 1, input: { domain: '*.example.com' } },
      'domain: "*.example.com" is a wildcard; name the domain',
    ],
    ['renew-all', { v: 1, requestedBy: 'a\nb' }, 'requestedBy must not have control characters'],
    ['renew-all', { v: 1, requestedBy: 'x'.repeat(201) }, 'requestedBy must have at most 200 characters'],
    ['hosts.add', { v: 1 }, 'hosts.add: names is missing; must be a list'],
    ['hosts.add', { v: 1, input: { names: ['a.example.com', 7] } }, 'names.1 must be text'],
    [
      'domains.add',
      { v: 1, input: { name: 'example.com', mode: 'x' } },
      'mode must be auto or wildcard or individual or custom',
    ],
    [
      'domains.add',
      { v: 1, input: { name: 'example.com', contacts: ['nobody'] } },
      'contacts.0 must be an e-mail address',
    ],
    ['task.list', { v: 1, input: { limit: 0 } }, 'limit must be at least 1'],
  ])('%s %j', (name, data, message) => {
    expect(refusalOf(name, data)).toContain(message);
  });

  test('a payload over 64 KiB', () => {
    expect(refusalOf('hosts.add', { v: 1, input: { names: ['a'.repeat(70_000)] } })).toBe(
      'command.invalid: hosts.add: the data has 70030 bytes and at most 65536 are taken; send it in several commands',
    );
  });

  test('of many faults only the first few are told', () => {
    const names = Array.from({ length: 40 }, () => '-');
    expect(refusalOf('hosts.add', { v: 1, input: { names } })).toMatch(/and 35 more$/);
  });
});

describe('whatever arrives, it is a command or a clear refusal', () => {
  const names = fc.oneof(fc.constantFrom(...operations.map(({ name }) => name)), fc.string());
  const refusal = /^(accepted|command\.(invalid|unknown): \S.{5,})$/s;

  test('for any data', () => {
    fc.assert(
      fc.property(names, fc.anything({ withBigInt: true, withNullPrototype: true }), (name, data) => {
        expect(refusalOf(name, data)).toMatch(refusal);
      }),
      { numRuns: 2000 },
    );
  });

  test('for any input in a right envelope', () => {
    fc.assert(
      fc.property(names, fc.jsonValue(), (name, input) => {
        expect(refusalOf(name, { v: 1, input })).toMatch(refusal);
      }),
      { numRuns: 2000 },
    );
  });

  test('for any values in known fields, whose refusals stay on one line', () => {
    const field = fc.constantFrom(
      'name',
      'names',
      'target',
      'force',
      'domain',
      'mode',
      'issuers',
      'for',
      'id',
      'host',
    );
    const value = fc.oneof(fc.jsonValue(), fc.string(), fc.domain(), fc.array(fc.domain(), { maxLength: 3 }));
    fc.assert(
      fc.property(names, fc.dictionary(field, value), (name, input) => {
        const answer = refusalOf(name, { v: 1, input });
        expect(answer).toMatch(refusal);
        expect(answer.length).toBeLessThan(2000);
      }),
      { numRuns: 2000 },
    );
  });

  test('what was parsed once is parsed to the same again', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.domain(), { minLength: 1, maxLength: 5 }), (hosts) => {
        const once = parseCommand('hosts.add', { v: 1, input: { names: hosts } });
        expect(parseCommand('hosts.add', { v: 1, input: once.input }).input).toEqual(once.input);
      }),
    );
  });
});

describe('the table', () => {
  test('has each name and each route once', () => {
    const names = operations.map(({ name }) => name);
    const routes = operations.map(({ method, path }) => `${method} ${path}`);
    expect(new Set(names).size).toBe(names.length);
    expect(new Set(routes).size).toBe(routes.length);
  });

  test('puts reads behind GET and the read scope, writes behind neither', () => {
    for (const { name, kind, method, scope } of operations)
      expect([name, method === 'GET', scope === 'read']).toEqual([name, kind === 'read', kind === 'read']);
  });
});
