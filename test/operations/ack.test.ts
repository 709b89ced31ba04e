import { beforeEach, expect, test } from 'vitest';
import { ack } from '../../src/operations/ack.ts';
import { domainsAdd } from '../../src/operations/domains.ts';
import { bench, day, start, useBench } from './fixture.ts';

const a = 'example.com/a.example.com/ec';
const b = 'example.com/b.example.com/ec';

useBench();
beforeEach(async () => {
  const hosts = ['a.example.com', 'b.example.com', 'c.example.com'];
  await bench.run(domainsAdd, { name: 'example.com', hosts });
  for (const lineage of [a, b]) await bench.remember(lineage, { failures: 4, failingSince: start - 2 * day });
});

test('silences one host for the time asked, with its event', async () => {
  const answer = await bench.run(ack, { name: 'a.example.com', for: '12h' }, { requestedBy: 'ops' });
  expect(answer).toEqual({ lineages: [a], silencedUntil: start + day / 2 });
  expect((await bench.needs.renewals.get(a)).reminders.silencedUntil).toBe(start + day / 2);
  expect((await bench.needs.renewals.get(b)).reminders.silencedUntil).toBeUndefined();
  expect(await bench.needs.due.at('remind', a)).toBe(start + day / 2);
  const [event] = await bench.events('reminder.acknowledged');
  expect(event).toMatchObject({
    domain: 'example.com',
    lineage: a,
    facts: { until: start + day / 2, names: ['a.example.com'], requestedBy: 'ops' },
  });
});

test('of a domain silences all that fails, for seven days when nothing is said', async () => {
  const { lineages, silencedUntil } = await bench.run(ack, { name: 'example.com' });
  expect(lineages).toEqual([a, b]);
  expect(silencedUntil).toBe(start + 7 * day);
});

test.each([
  [{ name: 'a.example.com', for: '8d' }, 'command.invalid', 'for: 8d is longer than 7d'],
  [
    { name: 'a.example.com', for: 'soon' },
    'command.invalid',
    'for: "soon" is not a length of time; write for example 90m, 12h or 7d',
  ],
  [{ name: 'c.example.com' }, 'command.conflict', 'nothing fails for c.example.com'],
  [{ name: 'd.example.com' }, 'command.notFound', 'no certificate is kept for d.example.com'],
])('refuses %j', async (input, code, message) => {
  await expect(bench.run(ack, input)).rejects.toMatchObject({
    code,
    message: expect.stringContaining(message),
  });
  expect(await bench.events('reminder.acknowledged')).toEqual([]);
});
