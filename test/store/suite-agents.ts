import { expect, test } from 'vitest';
import type { TlsAnswer } from '../../src/core/ports.ts';
import { freshRenewal } from '../../src/core/records.ts';
import { until } from '../support/process.ts';
import { type Agents, raw } from './agents.ts';
import { domain } from './samples.ts';

/** What several agents share: tokens, locks, buckets, durable writes. */
export function suiteAgents(agents: Agents): void {
  test('K9 a token put by one agent is answered by another, until it is removed or over', async () => {
    await agents.store.tokens.put('tok', 'tok.auth', Date.now() + 60_000);
    expect(await agents.store.tokens.get('tok')).toBe('tok.auth');
    expect(await agents.other.tokens.get('tok')).toBe('tok.auth');
    expect(await agents.other.tokens.get('../etc/passwd')).toBeUndefined();
    await agents.store.tokens.remove('tok');
    expect(await agents.store.tokens.get('tok')).toBeUndefined();
    const isGone = async () => (await agents.other.tokens.get('tok')) === undefined;
    await until('the other agent has forgotten it', isGone);
    await agents.store.tokens.put('short', 'x', Date.now() + 1);
    await until('the token is over', async () => (await agents.other.tokens.get('short')) === undefined);
  });

  test('a host that is asked for is heard of by all agents; its refusal and its wait are remembered', async () => {
    const { store, other } = agents;
    const heard: string[] = [];
    const unlisten = [store, other].map(({ hostAsks }) => hostAsks.hear((name) => heard.push(name)));
    await until('both hear of it', async () => {
      await store.hostAsks.ask('a.example.com');
      return heard.length >= 2;
    });
    for (const stop of unlisten) stop();
    const now = Date.now();
    const refusal = { at: now, until: now + 60_000, reason: 'quota', message: 'too many' } as const;
    await store.hostAsks.refuse('a.example.com', refusal);
    expect(await other.hostAsks.refusalOf('a.example.com')).toEqual(refusal);
    expect(await other.hostAsks.refusalOf('b.example.com')).toBeUndefined();
    await store.hostAsks.refuse('a.example.com', { ...refusal, until: Date.now() + 1 });
    const isOver = async () => (await other.hostAsks.refusalOf('a.example.com')) === undefined;
    await until('the refusal is over', isOver);
    await store.hostAsks.addWaiting('late.example.com', now + 5);
    await store.hostAsks.addWaiting('early.example.com', now);
    expect(await other.hostAsks.waiting()).toEqual([
      { name: 'early.example.com', since: now },
      { name: 'late.example.com', since: now + 5 },
    ]);
    await other.hostAsks.dropWaiting(['early.example.com', 'unknown.example.com']);
    await other.hostAsks.dropWaiting(['late.example.com']);
    expect(await store.hostAsks.waiting()).toEqual([]);
  });

  test('tls-alpn-01 answers of one name are a queue that all agents see, until removed or over', async () => {
    const { store, other } = agents;
    const name = 'www.example.com';
    const answer = (token: string, more: Partial<TlsAnswer> = {}): TlsAnswer => ({
      serverName: name,
      identifier: name,
      token,
      keyAuthorization: `${token}.auth`,
      putAt: Date.now(),
      expiresAt: Date.now() + 60_000,
      ...more,
    });
    const tokens = async () => (await other.tlsAnswers.of(name)).map(({ token }) => token);
    await store.tlsAnswers.put([answer('one'), answer('else', { serverName: 'b.example.com' })]);
    await other.tlsAnswers.put([answer('two')]);
    await store.tlsAnswers.put([answer('one')]);
    expect(await tokens()).toEqual(['one', 'two']);
    await store.tlsAnswers.put([answer('one', { keyAuthorization: 'one.newer' })]);
    expect(await tokens()).toEqual(['two', 'one']);
    expect((await store.tlsAnswers.of(name))[1]?.keyAuthorization).toBe('one.newer');
    await other.tlsAnswers.remove(name, 'two');
    await other.tlsAnswers.remove(name, 'two');
    expect(await tokens()).toEqual(['one']);
    await store.tlsAnswers.remove(name, 'one');
    await store.tlsAnswers.remove('b.example.com', 'else');
    expect(await tokens()).toEqual([]);
    expect(await other.tlsAnswers.of('no name * at all')).toEqual([]);
    await store.tlsAnswers.put([answer('short', { expiresAt: Date.now() + 50 })]);
    await until('the answer is over', async () => (await tokens()).length === 0);
  });

  test('orders of the same names in any order come in the same turn everywhere', async () => {
    const names = ['a.example.com', 'b.example.com', 'c.example.com'];
    const put = (agent: Agents['store'], token: string, order: readonly string[]) =>
      agent.tlsAnswers.put(
        order.map((serverName) => ({
          serverName,
          identifier: serverName,
          token,
          keyAuthorization: `${token}.auth`,
          putAt: Date.now(),
          expiresAt: Date.now() + 60_000,
        })),
      );
    const orders = Array.from({ length: 20 }, (_, index) =>
      put(
        index % 2 === 0 ? agents.store : agents.other,
        `t${index}`,
        index % 3 === 0 ? names : names.toReversed(),
      ),
    );
    await Promise.all(orders);
    const turns = await Promise.all(
      names.map(async (name) => (await agents.store.tlsAnswers.of(name)).map(({ token }) => token)),
    );
    expect(turns[0]).toHaveLength(20);
    expect(turns[1]).toEqual(turns[0]);
    expect(turns[2]).toEqual(turns[0]);
  });

  test('the one who waits hears that a token was fetched, whichever agent answered it', async () => {
    const { store, other } = agents;
    let [own, far, marks] = [0, 0, 0];
    const stopOwn = store.tokens.onFetched('own', () => own++);
    other.tokens.onFetched('own', () => far++);
    other.tokens.onFetched('far', () => far++);
    other.tokens.onFetched('mark', () => marks++);
    await until('the hint arrives', () => {
      store.tokens.announceFetched('mark');
      return marks > 0;
    });
    // Who waits here hears it once, at once, and nobody else is troubled; hints come in order.
    store.tokens.announceFetched('own');
    expect(own).toBe(1);
    store.tokens.announceFetched('far');
    await until('the other agent hears of its own', () => far > 0);
    expect(far).toBe(1);
    stopOwn();
    store.tokens.announceFetched('own');
    expect(own).toBe(1);
    await until('the other agent hears of it now', () => far > 1);
  });

  test('K8 a lock has one holder, its number only grows, and a waiter gets it at release', async () => {
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
    const lock = await agents.store.locks.tryAcquire('beat', 3_000);
    const left = () => raw(agents.store, (client) => client.pttl('{acme}:lock:beat'));
    let least = await left();
    await until('it has more time than a moment ago', async () => {
      const now = await left();
      const isMore = now > least;
      least = now;
      return isMore;
    });
    expect(lock?.signal.aborted).toBe(false);
    expect(await agents.other.locks.tryAcquire('beat', 3_000)).toBeUndefined();
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
      lacking: [],
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
      lacking: [narrow],
    });
    expect((await agents.store.buckets.take([{ ...wide, cost: 4 }], now)).taken).toBe(true);
    expect((await agents.store.buckets.take([wide, wide], now + 10_000)).taken).toBe(false);
  });

  test('what was taken from a bucket can be given back until it has settled, and refills only then', async () => {
    const { buckets } = agents.store;
    const now = 1_000_000;
    const take = { key: 'slow', capacity: 2, perSecond: 0.01, cost: 1, settleMs: 60_000 };
    const left = async (at: number) => (await buckets.levels([take], now + at))[0]?.tokens;
    await buckets.take([take, take], now);
    await buckets.giveBack([{ ...take, takenAt: now }], now + 30_000);
    expect(await left(30_000)).toBe(1);
    expect(await left(60_000)).toBe(1);
    expect(await left(170_000)).toBeCloseTo(1.5);
    await buckets.giveBack([{ ...take, takenAt: now }], now + 170_000);
    expect(await left(170_000)).toBeCloseTo(1.5);
  });

  test('a bucket may owe what it had not, asks for a level without a cost, and is drained to an instant', async () => {
    const { buckets } = agents.store;
    const now = 1_000_000;
    const take = { key: 'debts', capacity: 3, perSecond: 1, cost: 2 };
    const look = { ...take, cost: 0, least: 1 };
    for (const left of [1, -1]) {
      expect((await buckets.take([{ ...take, mayOwe: true }], now)).taken).toBe(true);
      expect(await buckets.levels([take], now)).toMatchObject([{ tokens: left }]);
    }
    expect(await buckets.take([look], now)).toEqual({ taken: false, readyAt: now + 2_000, lacking: [look] });
    expect((await buckets.take([look], now + 2_000)).taken).toBe(true);
    expect(await buckets.levels([take], now + 2_000)).toEqual([{ tokens: 1, readyAt: now + 3_000 }]);
    await buckets.drain([take], now + 9_000, now + 2_000);
    expect((await buckets.take([look], now + 3_000)).readyAt).toBe(now + 9_000);
    await buckets.drain([take], now + 4_000, now + 3_000);
    expect((await buckets.take([look], now + 3_000)).readyAt).toBe(now + 9_000);
  });

  test('agents whose clocks differ do not make a bucket refill twice, and a wrong one does not stop it', async () => {
    const { buckets } = agents.store;
    const now = 100_000_000;
    const take = { key: 'clocks', capacity: 10, perSecond: 1, cost: 1 };
    await buckets.take([{ ...take, cost: 10 }], now);
    const answers = [];
    for (let turn = 0; turn < 6; turn++)
      answers.push((await buckets.take([take], now + (turn % 2) * 2_000)).taken);
    expect(answers.filter(Boolean)).toHaveLength(2);
    await buckets.take([take], now + 400 * 86_400_000);
    await buckets.take([{ ...take, cost: 9 }], now + 3_000);
    expect((await buckets.take([take], now + 5_000)).taken).toBe(true);
  });

  test('a hundred durable writes at once are all there', async () => {
    const ids = Array.from({ length: 100 }, (_, index) => `safe.test/${index}/ec`);
    await Promise.all(
      ids.map((id) => agents.store.changes.commit({ putRenewals: [freshRenewal(id)], durable: true })),
    );
    expect((await agents.other.renewals.many(ids)).every(({ version }) => version === 1)).toBe(true);
  });
}
