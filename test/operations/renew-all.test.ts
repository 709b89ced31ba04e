import { expect, test } from 'vitest';
import { domainsAdd } from '../../src/operations/domains.ts';
import { hostsRemove } from '../../src/operations/hosts.ts';
import { renew } from '../../src/operations/renew.ts';
import { renewAll } from '../../src/operations/renew-all.ts';
import { taskShow } from '../../src/operations/tasks.ts';
import { bench, day, start, useBench } from './fixture.ts';

useBench();

const id = (host: string) => `example.${host.slice(1)}/${host[0]}.example.${host.slice(1)}/ec`;

/** example.com with a, b, c and example.org with d; all held for 60 days. */
async function fleet(): Promise<void> {
  await bench.run(domainsAdd, {
    name: 'example.com',
    hosts: ['a.example.com', 'b.example.com', 'c.example.com'],
  });
  await bench.run(domainsAdd, { name: 'example.org', hosts: ['d.example.org'] });
  for (const [index, host] of ['acom', 'bcom', 'ccom', 'dorg'].entries())
    await bench.hold(id(host), start + 60 * day + index);
}

test('takes what is due, failing or not as wanted, and nothing else', async () => {
  await fleet();
  await bench.remember(id('acom'), { renewAt: start - 1 });
  await bench.remember(id('bcom'), { failures: 1, renewAt: start + 30 * day });
  const { plan } = await bench.run(renewAll, { dryRun: true });
  expect(plan?.map(({ lineage, reason }) => [lineage, reason])).toEqual([
    [id('acom'), 'due'],
    [id('bcom'), 'failed'],
  ]);
  const { taskId = '', lineages } = await bench.run(renewAll, {});
  expect(lineages).toBe(2);
  expect((await bench.needs.renewals.get(id('acom'))).requested).toMatchObject({
    force: false,
    task: taskId,
  });
  expect((await bench.needs.renewals.get(id('bcom'))).requested).toMatchObject({ force: true, task: taskId });
  expect((await bench.needs.renewals.get(id('ccom'))).requested).toBeUndefined();
});

test('a dry run writes nothing', async () => {
  await fleet();
  const events = (await bench.needs.events.recent(100)).length;
  const answer = await bench.run(renewAll, { force: true, dryRun: true });
  expect(answer.taskId).toBeUndefined();
  expect(answer.plan).toHaveLength(4);
  expect(await bench.needs.tasks.list(10)).toEqual([]);
  expect((await bench.needs.events.recent(100)).length).toBe(events);
  expect((await bench.needs.renewals.get(id('acom'))).requested).toBeUndefined();
});

test('with force takes all in the order of need, domains by turns', async () => {
  await fleet();
  await bench.hold(id('ccom'), start - day);
  const { taskId = '' } = await bench.run(renewAll, { force: true }, { requestedBy: 'ops' });
  const order = [id('ccom'), id('acom'), id('dorg'), id('bcom')];
  const { task } = await bench.run(taskShow, { id: taskId });
  expect(task.items.map((item) => item.id)).toEqual(order);
  expect(bench.woken.at(-1)).toEqual({ job: 'issue', ids: order });
  const [event] = await bench.events('command.done');
  expect(event?.facts).toEqual({
    operation: 'renew-all',
    task: taskId,
    lineages: 4,
    force: true,
    requestedBy: 'ops',
  });
});

test('of one domain takes only its own, and refuses a domain that is not there', async () => {
  await fleet();
  const { plan } = await bench.run(renewAll, { force: true, dryRun: true, domain: 'example.org' });
  expect(plan?.map(({ lineage }) => lineage)).toEqual([id('dorg')]);
  await expect(bench.run(renewAll, { domain: 'example.net' })).rejects.toMatchObject({
    code: 'command.notFound',
  });
});

test('leaves alone what nobody asks for any more', async () => {
  await fleet();
  await bench.run(hostsRemove, { names: ['a.example.com'] });
  expect((await bench.run(renewAll, { force: true, dryRun: true })).lineages).toBe(3);
});

test('one wave at a time: the second is refused by name until the first is done', async () => {
  await fleet();
  const { taskId = '' } = await bench.run(renewAll, { force: true });
  await expect(bench.run(renewAll, {})).rejects.toMatchObject({
    code: 'command.conflict',
    message: `a renew-all is running as ${taskId} with 4 certificates to go; wait for it: "task show ${taskId}"`,
  });
  for (const host of ['acom', 'bcom', 'ccom'])
    await bench.needs.tasks.settle(taskId, { id: id(host), state: 'done', note: '01' });
  await expect(bench.run(renewAll, {})).rejects.toMatchObject({ code: 'command.conflict' });
  await bench.needs.tasks.settle(taskId, { id: id('dorg'), state: 'failed', note: 'the CA is down' });
  expect((await bench.run(taskShow, { id: taskId })).task.state).toBe('failed');
  await bench.run(renewAll, { force: true });
});

test('two at once are one wave', async () => {
  await fleet();
  const results = await Promise.allSettled([
    bench.run(renewAll, { force: true }),
    bench.run(renewAll, { force: true }),
  ]);
  expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
});

test('a wave whose last certificates others took over, or nobody wants, does not block the next', async () => {
  await fleet();
  const { taskId = '' } = await bench.run(renewAll, { force: true });
  for (const host of ['acom', 'bcom'])
    await bench.needs.tasks.settle(taskId, { id: id(host), state: 'done', note: '01' });
  await bench.run(renew, { target: id('ccom') });
  await bench.run(domainsAdd, { name: 'd.example.org' });
  await bench.run(hostsRemove, { names: ['d.example.org'] });
  const second = await bench.run(renewAll, { force: true });
  expect(second.lineages).toBe(3);
  const { counts, task } = await bench.run(taskShow, { id: taskId });
  expect(counts).toEqual({ total: 4, waiting: 0, done: 2, failed: 0, skipped: 2 });
  expect(task.state).toBe('done');
});

test('a wave without work is done at once', async () => {
  await fleet();
  const { taskId = '', lineages } = await bench.run(renewAll, {});
  expect(lineages).toBe(0);
  expect((await bench.run(taskShow, { id: taskId })).task).toMatchObject({ state: 'done', items: [] });
});

test('hundreds of certificates are asked for in chunks, each once', async () => {
  const hosts = Array.from({ length: 250 }, (_, index) => `h${index}.example.com`);
  await bench.run(domainsAdd, { name: 'example.com', hosts });
  const before = bench.woken.length;
  const { taskId, lineages } = await bench.run(renewAll, { force: true }, { idempotencyKey: 'night' });
  expect(lineages).toBe(250);
  const woken = bench.woken.slice(before).flatMap(({ ids }) => ids);
  expect(new Set(woken).size).toBe(250);
  expect(woken).toHaveLength(250);
  expect(await bench.run(renewAll, { force: true }, { idempotencyKey: 'night' })).toMatchObject({ taskId });
  expect(bench.woken.slice(before).flatMap(({ ids }) => ids)).toHaveLength(250);
});
