import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { secret } from '../../src/core/secret.ts';
import type { Agents } from './agents.ts';
import { journalEntry, notice } from './samples.ts';

/** What is due, what happened, and what is under way outside. */
export function suiteWork(agents: Agents): void {
  test('what is due comes earliest first, and not before its instant', async () => {
    const base = -1_000_000;
    await agents.store.changes.commit({
      due: [
        { job: 'issue', id: 'due.test/a:b/ec', at: base + 30 },
        { job: 'deploy', id: 'web|due.test/a/ec', at: base + 10 },
        { job: 'remind', id: 'due.test/a/ec', at: base + 99 },
      ],
    });
    expect(await agents.other.due.next(base + 50, 10)).toEqual([
      { job: 'deploy', id: 'web|due.test/a/ec', at: base + 10 },
      { job: 'issue', id: 'due.test/a:b/ec', at: base + 30 },
    ]);
    expect(await agents.other.due.next(base + 50, 1)).toHaveLength(1);
    await agents.store.changes.commit({ due: [{ job: 'deploy', id: 'web|due.test/a/ec', at: undefined }] });
    expect(await agents.other.due.at('deploy', 'web|due.test/a/ec')).toBeUndefined();
    expect(await agents.other.due.at('issue', 'due.test/a:b/ec')).toBe(base + 30);
  });

  test('each group gets every event, unacknowledged ones again, and events make notify due', async () => {
    await agents.store.changes.commit({ due: [{ job: 'notify', id: 'events', at: undefined }] });
    const before = (await agents.store.events.recent(1_000)).length;
    const facts = { serial: '01', nested: { list: [1, true] } };
    await agents.store.changes.commit({
      events: [
        { type: 'certificate.issued', domain: 'e.test', lineage: 'e.test/www/ec', facts },
        { type: 'deploy.done', facts: {} },
      ],
    });
    expect(await agents.store.due.at('notify', 'events')).toBeLessThanOrEqual(Date.now());
    const seen = await agents.other.events.read('audit', 1_000);
    expect(seen.map(({ type }) => type).slice(before)).toEqual(['certificate.issued', 'deploy.done']);
    expect(seen[before]).toMatchObject({ domain: 'e.test', lineage: 'e.test/www/ec', facts });
    expect(seen[before]?.at).toBeGreaterThan(Date.now() - 60_000);
    expect((await agents.store.events.read('audit', 1_000)).map(({ id }) => id)).toEqual(
      seen.map(({ id }) => id),
    );
    await agents.store.events.ack(
      'audit',
      seen.map(({ id }) => id),
    );
    expect(await agents.other.events.read('audit', 1_000)).toEqual([]);
    expect(await agents.other.events.read('metrics', 1_000)).toHaveLength(seen.length);
    expect((await agents.other.events.recent(1)).map(({ type }) => type)).toEqual(['deploy.done']);
  });

  test('a task ends with its last item, whoever settles it', async () => {
    const items = Array.from({ length: 40 }, (_, index) => ({
      id: `t${index}`,
      state: 'waiting' as const,
    }));
    const task = {
      id: 'wave',
      operation: 'renew-all',
      createdAt: Date.now(),
      state: 'running',
      requestedBy: 'cli',
      items,
    } as const;
    await agents.store.changes.commit({
      putTasks: [task, { ...task, id: 'older', createdAt: task.createdAt - 1, items: [] }],
    });
    expect(await agents.other.tasks.get('wave')).toEqual(task);
    const settle = (index: number) =>
      (index % 2 === 0 ? agents.store : agents.other).tasks.settle('wave', {
        id: `t${index}`,
        state: index === 7 ? 'failed' : 'done',
        note: `a|b ${index}`,
      });
    await Promise.all(items.slice(1).map((_, index) => settle(index + 1)));
    expect(await agents.store.tasks.get('wave')).toMatchObject({ state: 'running' });
    await Promise.all([settle(0), settle(0)]);
    const done = await agents.store.tasks.get('wave');
    expect(done).toMatchObject({ state: 'failed', requestedBy: 'cli' });
    expect(done?.finishedAt).toBeGreaterThanOrEqual(task.createdAt);
    expect(done?.items.map(({ id }) => id)).toEqual(items.map(({ id }) => id));
    expect(done?.items[3]).toEqual({ id: 't3', state: 'done', note: 'a|b 3' });
    expect((await agents.store.tasks.list(2)).map(({ id }) => id)).toEqual(['wave', 'older']);
    await agents.store.tasks.settle('wave', { id: 'stranger', state: 'done' });
    expect((await agents.store.tasks.get('wave'))?.items).toHaveLength(40);
  });

  test('faults of an issuer are counted over all agents until it recovers', async () => {
    expect(await agents.store.issuerHealth.fault('ca')).toBe(1);
    expect(await agents.other.issuerHealth.fault('ca')).toBe(2);
    expect(await agents.store.issuerHealth.openedAt(['none', 'ca'])).toEqual([undefined, undefined]);
    expect(await agents.other.issuerHealth.fault('ca')).toBe(3);
    const [openedAt] = await agents.store.issuerHealth.openedAt(['ca']);
    expect(Math.abs((openedAt ?? 0) - Date.now())).toBeLessThan(60_000);
    expect(await agents.store.issuerHealth.fault('ca')).toBe(4);
    expect(await agents.other.issuerHealth.openedAt(['ca'])).toEqual([openedAt]);
    await agents.store.changes.commit({ wellIssuer: 'ca' });
    expect(await agents.other.issuerHealth.openedAt(['ca'])).toEqual([undefined]);
    expect(await agents.other.issuerHealth.fault('ca')).toBe(1);
    await agents.store.changes.commit({ wellIssuer: 'ca' });
  });

  test('an account comes back with its key', async () => {
    const record = {
      issuer: 'letsencrypt',
      directoryUrl: 'https://ca.test/dir',
      key: secret<Uint8Array>(randomBytes(138)),
      contacts: ['mailto:a@b.test'],
      createdAt: 1,
    };
    await agents.store.accounts.put(record);
    const read = await agents.other.accounts.get('letsencrypt');
    expect(read).toMatchObject({ directoryUrl: record.directoryUrl, contacts: record.contacts });
    expect(read?.key.reveal()).toEqual(record.key.reveal());
    expect(await agents.other.accounts.get('none')).toBeUndefined();
  });

  test('the journal finds entries by id and by value', async () => {
    const [one, two, else_] = [
      journalEntry('j1'),
      journalEntry('j2', { leaseUntil: 9_000 }),
      journalEntry('j3', { value: 'v10' }),
    ];
    await agents.store.journal.intend([one, two, else_]);
    expect((await agents.other.journal.sharing(one)).map(({ id }) => id).sort()).toEqual(['j1', 'j2']);
    await agents.store.journal.update([{ ...one, state: 'added', handle: 'h', leaseUntil: 7_000 }]);
    expect(await agents.other.journal.get('j1')).toMatchObject({ state: 'added', handle: 'h' });
    await agents.store.journal.forget(['j1', 'none']);
    expect((await agents.other.journal.sharing(one)).map(({ id }) => id)).toEqual(['j2']);
    expect(await agents.other.journal.all()).toHaveLength(2);
    await agents.store.journal.forget(['j2', 'j3']);
    expect(await agents.other.journal.all()).toEqual([]);
  });

  test('the outbox keeps notices in order, each once', async () => {
    await agents.store.outbox.add('mail', [notice('n2', 20), notice('n1', 10), notice('n2', 20)]);
    expect((await agents.other.outbox.list('mail')).map(({ id }) => id)).toEqual(['n1', 'n2']);
    await agents.store.outbox.remove('mail', ['n1']);
    expect(await agents.other.outbox.list('mail')).toEqual([notice('n2', 20)]);
    expect(await agents.other.outbox.lastSentAt('mail', 'a@b.test')).toBeUndefined();
    await agents.store.outbox.setLastSentAt('mail', 'a@b.test', 77);
    expect(await agents.other.outbox.lastSentAt('mail', 'a@b.test')).toBe(77);
  });
}
