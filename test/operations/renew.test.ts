import { beforeEach, describe, expect, test } from 'vitest';
import { domainsAdd } from '../../src/operations/domains.ts';
import { hostsRemove } from '../../src/operations/hosts.ts';
import { issue } from '../../src/operations/issue.ts';
import { renew } from '../../src/operations/renew.ts';
import { taskList, taskShow } from '../../src/operations/tasks.ts';
import { bench, day, holdFallback, start, useBench } from './fixture.ts';

useBench();
beforeEach(async () => {
  await bench.run(domainsAdd, { name: 'example.com', hosts: ['a.example.com', 'b.example.com'] });
});

const a = 'example.com/a.example.com/ec';
const state = (lineage: string) => bench.needs.renewals.get(lineage);

describe('renew', () => {
  test.each([[a], ['example.com/a.example.com'], ['a.example.com'], ['A.Example.com.']])(
    'finds the certificate by %s and asks for it under a task',
    async (target) => {
      await bench.hold(a, start + 60 * day);
      const answer = await bench.run(renew, { target, force: true }, { requestedBy: 'ops' });
      expect(answer.lineages).toEqual([a]);
      expect((await state(a)).requested).toEqual({ at: start, force: true, task: answer.taskId });
      expect(await bench.needs.due.at('issue', a)).toBe(start);
      expect(bench.woken.at(-1)).toEqual({ job: 'issue', ids: [a] });
      const { task } = await bench.run(taskShow, { id: answer.taskId });
      expect(task).toMatchObject({
        operation: 'renew',
        state: 'running',
        requestedBy: 'ops',
        items: [{ id: a, state: 'waiting' }],
      });
      const [event] = await bench.events('command.done');
      expect(event?.facts).toEqual({
        operation: 'renew',
        task: answer.taskId,
        lineages: [a],
        force: true,
        requestedBy: 'ops',
      });
    },
  );

  test('means both certificates of a host with two key types, and a wildcard for a host under it', async () => {
    await bench.run(domainsAdd, {
      name: 'example.org',
      dnsAccount: 'route53',
      keyTypes: ['p256', 'rsa2048'],
    });
    const { lineages } = await bench.run(renew, { target: 'any.example.org' });
    expect(lineages).toEqual(['example.org/*.example.org/ec', 'example.org/*.example.org/rsa']);
  });

  test('asked again answers the first task, whose work the second takes over', async () => {
    const first = await bench.run(renew, { target: a });
    const second = await bench.run(renew, { target: a, force: true });
    expect((await bench.run(taskShow, { id: first.taskId })).task).toMatchObject({
      state: 'done',
      items: [{ id: a, state: 'skipped', note: `taken over by ${second.taskId}` }],
    });
    expect((await state(a)).requested).toMatchObject({ force: true, task: second.taskId });
  });

  test('carried out twice with one key is one task', async () => {
    const caller = { idempotencyKey: 'deploy-42' };
    const first = await bench.run(renew, { target: a }, caller);
    await bench.needs.tasks.settle(first.taskId, { id: a, state: 'done', note: '04ab' });
    const { requested: _, ...rest } = await state(a);
    await bench.needs.changes.commit({ putRenewals: [rest] });
    expect(await bench.run(renew, { target: a }, caller)).toEqual(first);
    expect((await state(a)).requested).toBeUndefined();
    expect((await bench.run(taskList, {})).tasks).toHaveLength(1);
  });

  test('a command that died before it asked goes on when it comes again', async () => {
    const caller = { idempotencyKey: 'deploy-43' };
    const first = await bench.run(renew, { target: a }, caller);
    const { requested: _, ...rest } = await state(a);
    await bench.needs.changes.commit({ putRenewals: [rest] });
    await bench.run(renew, { target: a }, caller);
    expect((await state(a)).requested?.task).toBe(first.taskId);
  });

  test('refuses what no order can renew', async () => {
    await holdFallback('example.com/a.example.com', start + day);
    await bench.run(hostsRemove, { names: ['b.example.com'] });
    await expect(bench.run(renew, { target: 'example.com/a.example.com/fallback' })).rejects.toMatchObject({
      code: 'command.conflict',
      message: expect.stringContaining('renew example.com/a.example.com instead'),
    });
    await expect(bench.run(renew, { target: 'b.example.com' })).rejects.toMatchObject({
      code: 'command.conflict',
      message: expect.stringContaining('nobody has asked for example.com/b.example.com/ec since'),
    });
    await expect(bench.run(renew, { target: 'c.example.com' })).rejects.toMatchObject({
      code: 'command.notFound',
    });
    expect((await bench.run(taskList, {})).tasks).toEqual([]);
  });
});

describe('issue', () => {
  test('keeps one certificate for the names, labelled by the first', async () => {
    const names = ['x.example.com', 'y.example.com', 'example.com'];
    const { lineages, taskId } = await bench.run(issue, { names }, { requestedBy: 'ops' });
    expect(lineages).toEqual(['example.com/x.example.com/ec']);
    const lineage = await bench.needs.certificates.lineage('example.com/x.example.com/ec');
    expect(lineage?.wanted.names).toEqual(names);
    expect((await state('example.com/x.example.com/ec')).requested?.task).toBe(taskId);
    expect((await bench.run(taskShow, { id: taskId })).counts).toMatchObject({ total: 1, waiting: 1 });
    const [changed] = (await bench.events('domain.changed')).filter((one) => one.facts.change === 'group');
    expect(changed?.facts).toMatchObject({ label: 'x.example.com', names, requestedBy: 'ops' });
  });

  test('for exactly the names of a host asks for the certificate of that host', async () => {
    const { lineages } = await bench.run(issue, { names: ['a.example.com'] });
    expect(lineages).toEqual([a]);
    expect(await bench.needs.wishes.groups('example.com')).toEqual([]);
  });

  test('with the same names again makes no second group; with others changes it', async () => {
    const first = await bench.run(issue, { names: ['x.example.com', 'y.example.com'] });
    await bench.run(issue, { names: ['y.example.com', 'x.example.com'] });
    expect((await bench.run(taskShow, { id: first.taskId })).task.state).toBe('done');
    await bench.run(issue, { names: ['x.example.com', 'z.example.com'] });
    expect(await bench.needs.wishes.groups('example.com')).toMatchObject([
      { label: 'x.example.com', names: ['x.example.com', 'z.example.com'] },
    ]);
  });

  test('goes to the longest domain that holds all names', async () => {
    await bench.run(domainsAdd, { name: 'eu.example.com' });
    const inner = await bench.run(issue, { names: ['p.eu.example.com', 'q.eu.example.com'] });
    const outer = await bench.run(issue, { names: ['r.eu.example.com', 's.example.com'] });
    expect([...inner.lineages, ...outer.lineages]).toEqual([
      'eu.example.com/p.eu.example.com/ec',
      'example.com/r.eu.example.com/ec',
    ]);
  });

  test('refuses names of different domains, of none, and a wildcard without dns-01', async () => {
    await bench.run(domainsAdd, { name: 'example.org' });
    await expect(bench.run(issue, { names: ['a.example.com', 'a.example.org'] })).rejects.toMatchObject({
      code: 'command.invalid',
      message: expect.stringContaining('different domains (example.com, example.org)'),
    });
    await expect(bench.run(issue, { names: ['a.example.net'] })).rejects.toMatchObject({
      code: 'command.notFound',
    });
    await expect(bench.run(issue, { names: ['*.example.com'] })).rejects.toMatchObject({
      code: 'command.invalid',
    });
    expect((await bench.run(taskList, {})).tasks).toEqual([]);
  });

  test('does not take the label of the wildcard of the domain', async () => {
    await bench.run(domainsAdd, { name: 'example.org', dnsAccount: 'route53' });
    await expect(bench.run(issue, { names: ['*.example.org', 'a.b.example.org'] })).rejects.toMatchObject({
      code: 'command.conflict',
      message: expect.stringContaining('put another name first'),
    });
    const { lineages } = await bench.run(issue, { names: ['example.org', '*.example.org'] });
    expect(lineages).toEqual(['example.org/*.example.org/ec']);
  });
});
