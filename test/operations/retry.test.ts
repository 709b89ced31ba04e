import { beforeEach, describe, expect, test } from 'vitest';
import { domainsAdd } from '../../src/operations/domains.ts';
import { renew } from '../../src/operations/renew.ts';
import { renewAll } from '../../src/operations/renew-all.ts';
import { retry } from '../../src/operations/retry.ts';
import { why } from '../../src/operations/why.ts';
import { bench, day, start, useBench } from './fixture.ts';

const a = 'example.com/a.example.com/ec';
const url = 'https://portal.letsencrypt.test/unpause?jwt=abc';
const pause = {
  names: ['a.example.com'],
  since: start - day,
  retryAt: start + 6 * day,
  message: `paused; visit ${url}`,
};
const state = () => bench.needs.renewals.get(a);

useBench();
beforeEach(async () => {
  await bench.run(domainsAdd, { name: 'example.com', hosts: ['a.example.com'] });
  await bench.remember(a, {
    failures: 1,
    issuerFailures: { letsencrypt: 3, zerossl: 1 },
    retryAt: start + 6 * day,
    paused: { letsencrypt: pause },
  });
});

describe('retry', () => {
  test('ends the pauses of a certificate and asks for it at once, under a task', async () => {
    const answer = await bench.run(retry, { target: 'a.example.com' }, { requestedBy: 'ops' });
    expect(answer.lineages).toEqual([a]);
    const after = await state();
    expect(after.paused).toBeUndefined();
    expect(after.issuerFailures).toEqual({ zerossl: 1 });
    expect(after.requested).toEqual({ at: start, force: false, task: answer.taskId });
    expect(await bench.needs.due.at('issue', a)).toBe(start);
    expect(bench.woken.at(-1)).toEqual({ job: 'issue', ids: [a] });
    const [event] = await bench.events('command.done');
    expect(event?.facts).toEqual({
      operation: 'retry',
      task: answer.taskId,
      lineages: [a],
      requestedBy: 'ops',
    });
  });

  test.each([
    ['retry', retry],
    ['renew', renew],
    ['renew-all', renewAll],
  ] as const)('%s asks for what was forced and failed, though nothing is due', async (_, operation) => {
    await bench.hold(a, start + 80 * day);
    await bench.remember(a, { renewAt: start + 50 * day, requested: { at: start + day, force: true } });
    const input = operation === renewAll ? {} : { target: a };
    const { taskId } = await bench.run<unknown, { readonly taskId?: string }>(operation, input);
    expect((await state()).requested).toEqual({ at: start, force: true, task: taskId });
  });

  test('sent twice with one key is carried out once', async () => {
    const caller = { idempotencyKey: 'one' };
    const first = await bench.run(retry, { target: a }, caller);
    await bench.remember(a, { paused: { letsencrypt: pause } });
    expect(await bench.run(retry, { target: a }, caller)).toEqual(first);
    expect((await state()).paused).toBeDefined();
  });

  test('that died between its task and its certificates ends the pause when it runs again', async () => {
    const caller = { idempotencyKey: 'one' };
    await bench.run(retry, { target: a }, caller);
    await bench.remember(a, { paused: { letsencrypt: pause }, requested: undefined });
    await bench.run(retry, { target: a }, caller);
    expect((await state()).paused).toBeUndefined();
  });

  test('is more than renew, which leaves the pause as it is', async () => {
    await bench.run(renew, { target: a, force: true });
    expect((await state()).paused).toEqual({ letsencrypt: pause });
  });
});

describe('why', () => {
  test('shows who paused it, in whose words, the address, and both ways on', async () => {
    const { certificates, lines } = await bench.run(why, { host: 'a.example.com' });
    expect(certificates[0]?.paused).toEqual([{ issuer: 'letsencrypt', ...pause }]);
    const text = lines.join('\n');
    expect(text).toContain(
      `letsencrypt has paused it since 2026-11-19 12:00:00 UTC (24 hours ago): paused; visit ${url}`,
    );
    expect(text).toContain(`Once a person has ended that: acme-agent retry ${a}.`);
    expect(text).toContain('Otherwise letsencrypt is asked again at 2026-11-26 12:00:00 UTC (in 6 days).');
  });

  test('shows which limit an order waits for', async () => {
    const limit = 'certificates for example.com (50 in 7 days)';
    await bench.remember(a, {
      paused: undefined,
      waiting: { issuer: 'letsencrypt', limit, count: 1, full: {} },
    });
    const { lines } = await bench.run(why, { host: 'a.example.com' });
    expect(lines).toContain(`Its order waits for room at letsencrypt: ${limit}.`);
  });
});
