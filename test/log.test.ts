import { expect, test } from 'vitest';
import { AgentError } from '../src/core/errors.ts';
import { secret } from '../src/core/secret.ts';
import { createLog, type LogOptions } from '../src/log.ts';

test('a line is one JSON object with level, time, facts and message', () => {
  const { log, lines } = capture({});
  log.info({ lineage: 'example.com/www/ec', retryAt: 0, ms: 7 }, 'certificate stored');
  const line = JSON.parse(lines[0] ?? '');
  expect(line).toMatchObject({
    level: 'info',
    lineage: 'example.com/www/ec',
    retryAt: '1970-01-01T00:00:00.000Z',
    ms: 7,
    msg: 'certificate stored',
  });
  expect(Date.parse(line.time)).toBeGreaterThan(0);
});

test('lines below the level are not written', () => {
  const { log, lines } = capture({ level: 'warn' });
  log.debug({}, 'a');
  log.info({}, 'b');
  log.warn({}, 'c');
  log.error({}, 'd');
  expect(lines.map((line) => JSON.parse(line).msg)).toEqual(['c', 'd']);
});

test('another level counts from the next line on, also for children that are there', () => {
  const { log, lines } = capture({ level: 'warn' });
  const child = log.child({ issuer: 'ca' });
  child.info({}, 'a');
  log.setLevel('debug');
  child.debug({}, 'b');
  log.setLevel('error');
  child.warn({}, 'c');
  log.error({}, 'd');
  expect(lines.map((line) => JSON.parse(line).msg)).toEqual(['b', 'd']);
});

test('a URL that is a credential in itself is written without it', () => {
  const { log, lines } = capture({});
  const url = 'https://portal.ca.test/unpause?jwt=abc.DEF-1&lang=en';
  const detail = `open ${url} to go on`;
  const error = new AgentError('acme.paused', detail, { facts: { problem: { detail } } });
  log.warn({ err: new Error('outer', { cause: error }), url }, 'certificate not issued');
  expect(lines[0]).not.toContain('abc.DEF-1');
  expect(lines[0]?.split('unpause?jwt=[masked]&lang=en')).toHaveLength(4);
});

test('an error of ours is written with its code, facts and causes, without a stack', () => {
  const { log, lines } = capture({});
  const cause = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
  const error = new AgentError('store.unavailable', 'Redis does not answer', { facts: { port: 1 }, cause });
  log.error({ error }, 'store lost');
  const written = JSON.parse(lines[0] ?? '').error;
  expect(written).toMatchObject({
    code: 'store.unavailable',
    message: 'Redis does not answer',
    facts: { port: 1 },
    cause: { code: 'ECONNREFUSED', message: 'connect ECONNREFUSED' },
  });
  expect(written.stack).toBeUndefined();
});

test('fields that a library hangs on its errors are not written, and a loop of causes ends', () => {
  const { log, lines } = capture({});
  const error = Object.assign(new Error('request failed'), { request: { authorization: 'canary-5371' } });
  error.cause = error;
  log.error({ error }, 'call failed');
  expect(lines[0]).not.toContain('canary-5371');
  expect(JSON.parse(lines[0] ?? '').error.message).toBe('request failed');
});

test('a secret is never printed, wherever it lies in the facts', () => {
  const { log, lines } = capture({});
  const password = secret('canary-9931');
  log.child({ password }).info({ account: { password }, list: [password] }, 'used');
  log.error({ error: new AgentError('bug', 'failed', { facts: { password } }) }, 'failed');
  expect(lines.join('')).not.toContain('canary-9931');
  expect(lines.join('')).toContain('[secret]');
});

test('a child adds its facts to each of its lines', () => {
  const { log, lines } = capture({});
  log.child({ queue: 'issuance' }).child({ job: 'x' }).info({ n: 1 }, 'started');
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({ queue: 'issuance', job: 'x', n: 1 });
});

function capture(options: Partial<LogOptions>) {
  const lines: string[] = [];
  const destination = { write: (line: string) => lines.push(line) };
  return { lines, log: createLog({ level: 'info', destination, ...options }) };
}
