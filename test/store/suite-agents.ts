import { expect, test } from 'vitest';
import { freshRenewal } from '../../src/core/records.ts';
import { until } from '../support/process.ts';
import { type Agents, raw } from './agents.ts';
import { domain } from './samples.ts';

/** What several agents share: tokens, locks, buckets, durable writes. */
export function suiteAgents(agents: Agents): void {
  test('a token put by one agent is answered by another, until it is removed or over', async () => {
    await agents.store.tokens.put('tok', 'tok.auth', Date.now() + 60_000);
    expect(await agents.store.tokens.get('tok')).toBe('tok.auth');
    expect(await agents.other.tokens.get('tok')).toBe('tok.auth');
    expect(await agents.other.tokens.get('../etc/passwd')).toBeUndefined();
    await agents.store.tokens.remove('tok');
    expect(await agents.store.tokens.get('tok')).toBeUndefined();
    expect(await agents.other.tokens.get('tok')).toBeUndefined();
    await agents.store.tokens.put('short', 'x', Date.now() + 1);
    await until('the token is over', async () => (await agents.other.tokens.get('short')) === undefined);
  });

  test('all agents hear that a token was fetched, the one that answered exactly once', async () => {
    const { store, other } = agents;
    let [said, own, far, marks] = [0, 0, 0, 0];
    const stopOwn = store.tokens.onFetched('seen', () => own++);
    const stopFar = other.tokens.onFetched('seen', () => far++);
    store.tokens.onFetched('mark', () => marks++);
    await until('the hint arrives', () => {
      store.tokens.announceFetched('seen');
      said++;
      return far > 0;
    });
    // Hints come in order: whatever came back of our own is here with the mark.
    await until('the mark arrives', () => {
      other.tokens.announceFetched('mark');
      return marks > 0;
    });
    expect(own).toBe(said);
    stopFar();
    stopOwn();
    store.tokens.announceFetched('seen');
    expect(own).toBe(said);
  });

  test('a lock has one holder, its number only grows, and a waiter gets it at release', async () => {
    const first = await agents.store.locks.tryAcquire('one', 30_000);
    expect(await agents.other.locks.tryAcquire('one', 30_000)).toBeUndefined();
    const waiting = agents.other.locks.acquire('one', 30_000, AbortSignal.timeout(20_000));
    await first?.release();
    const second = await waiting;
    expect(second.number).toBeGreaterThan(first?.number ?? Number.NaN);
    await second.release();
    const third = await agents.store.locks.tryAcquire('one', 30_000);
    expect(third).toBeDefined();
    await third?.release();
    await third?.release();
  });

  test('waiting for a lock ends with the reason of the signal', async () => {
    const held = await agents.store.locks.tryAcquire('busy', 30_000);
    const stop = new AbortController();
    const waiting = agents.other.locks.acquire('busy', 30_000, stop.signal);
    stop.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    await held?.release();
  });

  test('of fifty that want a lock at once, each gets it alone', async () => {
    let holders = 0;
    let most = 0;
    await Promise.all(
      Array.from({ length: 50 }, async (_, index) => {
        const by = index % 2 === 0 ? agents.store : agents.other;
        const lock = await by.locks.acquire('crowd', 30_000, AbortSignal.timeout(50_000));
        most = Math.max(most, ++holders);
        await by.ping();
        holders--;
        await lock.release();
      }),
    );
    expect(most).toBe(1);
  });

  test('a heartbeat keeps a lock beyond its time', async () => {
    const lock = await agents.store.locks.tryAcquire('beat', 300);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(lock?.signal.aborted).toBe(false);
    expect(await agents.other.locks.tryAcquire('beat', 300)).toBeUndefined();
    await lock?.release();
  });

  test('whoever lost the lock is told, and cannot write under it any more', async () => {
    const lock = await agents.store.locks.tryAcquire('lost', 600);
    if (lock === undefined) throw new Error('not acquired');
    await raw(agents.store, (client) => client.del('{acme}:lock:lost'));
    const next = await agents.other.locks.tryAcquire('lost', 30_000);
    expect(next).toBeDefined();
    await expect(
      agents.store.changes.commit({ fence: lock, putDomains: [domain('fenced.test')] }),
    ).rejects.toMatchObject({ code: 'store.fenced' });
    expect(await agents.store.wishes.domain('fenced.test')).toBeUndefined();
    await until('the loss is noticed', () => lock.signal.aborted);
    await lock.release();
    await agents.other.changes.commit({ fence: next, putDomains: [domain('fenced.test')] });
    expect(await agents.store.wishes.domain('fenced.test')).toBeDefined();
    await next?.release();
  });

  test('a bucket gives out exactly what it holds, whoever asks', async () => {
    const now = 1_000_000;
    const take = { key: 'orders', capacity: 10, perSecond: 1, cost: 1 };
    const asked = Array.from({ length: 30 }, (_, index) =>
      (index % 2 === 0 ? agents.store : agents.other).buckets.take([take], now),
    );
    const answers = await Promise.all(asked);
    expect(answers.filter(({ taken }) => taken)).toHaveLength(10);
    expect(answers.find(({ taken }) => !taken)?.readyAt).toBe(now + 1_000);
    expect((await agents.store.buckets.take([{ ...take, cost: 3 }], now + 2_000)).readyAt).toBe(now + 3_000);
    expect(await agents.store.buckets.take([{ ...take, cost: 3 }], now + 3_000)).toEqual({
      taken: true,
      readyAt: now + 3_000,
    });
  });

  test('several buckets are taken from together or not at all', async () => {
    const now = 1_000_000;
    const wide = { key: 'wide', capacity: 5, perSecond: 0.1, cost: 1 };
    const narrow = { key: 'narrow', capacity: 1, perSecond: 0.01, cost: 1 };
    expect((await agents.store.buckets.take([wide, narrow], now)).taken).toBe(true);
    expect(await agents.store.buckets.take([wide, narrow], now)).toEqual({
      taken: false,
      readyAt: now + 100_000,
    });
    expect((await agents.store.buckets.take([{ ...wide, cost: 4 }], now)).taken).toBe(true);
    expect((await agents.store.buckets.take([wide, wide], now + 10_000)).taken).toBe(false);
  });

  test('a hundred durable writes at once are all there', async () => {
    const ids = Array.from({ length: 100 }, (_, index) => `safe.test/${index}/ec`);
    await Promise.all(
      ids.map((id) => agents.store.changes.commit({ putRenewals: [freshRenewal(id)], durable: true })),
    );
    expect((await agents.other.renewals.many(ids)).every(({ version }) => version === 1)).toBe(true);
  });
}
