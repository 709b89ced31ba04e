import { Queue } from 'bullmq';
import { describe, expect, it } from 'vitest';
import { AgentError } from '../../src/core/errors.ts';
import { deferred } from '../support/deferred.ts';
import { until } from '../support/process.ts';
import { createCalls, type Shop, startShops, waiting } from './given.ts';

const shops = startShops();
const minute = 60_000;

describe('a worker', () => {
  it('hands the id to the handler of its kind and leaves no trace of a job that is done', async () => {
    const shop = await shops.open();
    const calls = createCalls<string>();
    shop.start({
      issue: async (id) => calls.push(`issue ${id}`),
      remind: async (id) => calls.push(`remind ${id}`),
    });
    await shop.queues.wake('issue', ['a/b/ec']);
    await shop.queues.wake('remind', ['a/b/ec']);
    await calls.reach(2);
    expect([...calls.all].sort()).toEqual(['issue a/b/ec', 'remind a/b/ec']);
    await until('the queues to be empty', async () => (await waiting(shop, 'issuance')) === 0);
    expect((await shop.queues.counts()).issuance).toMatchObject({ completed: 0, failed: 0 });
  });

  it('turns an instant into a due entry and a job that sleeps until then', async () => {
    const shop = await shops.open();
    const calls = createCalls<number>();
    let again = 0;
    shop.start({
      issue: async () => {
        calls.push(Date.now());
        if (calls.all.length > 1) return undefined;
        again = Date.now() + 400;
        return { again };
      },
    });
    await shop.queues.wake('issue', ['x']);
    await calls.reach(1);
    await until('the due entry', async () => (await shop.store.due.at('issue', 'x')) !== undefined);
    expect(await shop.store.due.at('issue', 'x')).toBe(again);
    await calls.reach(2);
    expect(calls.all[1]).toBeGreaterThanOrEqual(again);
    await until('the job to end', async () => (await waiting(shop, 'issuance')) === 0);
    expect((await shop.queues.counts()).issuance).toMatchObject({ failed: 0 });
  });

  it('leaves longer waits to the due index alone', async () => {
    const shop = await shops.open();
    const again = Date.now() + 60 * minute;
    shop.start({ issue: async () => ({ again }) });
    await shop.queues.wake('issue', ['x']);
    await until('the due entry', async () => (await shop.store.due.at('issue', 'x')) === again);
    await until('the job to end', async () => (await waiting(shop, 'issuance')) === 0);
  });

  it('writes the instant before it lets the job sleep', async () => {
    const shop = await shops.open();
    const again = Date.now() + 4 * minute;
    shop.start({ issue: async () => ({ again }) });
    await shop.queues.wake('issue', ['x']);
    await until('the job to sleep', async () => (await shop.queues.counts()).issuance.delayed === 1);
    expect(await shop.store.due.at('issue', 'x')).toBe(again);
  });

  it('leaves the due index as it is when a handler throws, and says so once', async () => {
    const shop = await shops.open();
    await shop.store.changes.commit({ due: [{ job: 'issue', id: 'x', at: 5 }] });
    shop.start({
      issue: async () => {
        throw new AgentError('bug', 'something broke');
      },
    });
    await shop.queues.wake('issue', ['x']);
    await until('the job to fail', async () => (await shop.queues.counts()).issuance.failed === 1);
    expect(await shop.store.due.at('issue', 'x')).toBe(5);
    expect(shop.log.filter((line) => line.startsWith('error job failed'))).toHaveLength(1);
  });

  it('drops what is not ours and goes on', async () => {
    const shop = await shops.open();
    const calls = createCalls<string>();
    shop.start({ issue: async (id) => calls.push(id) });
    const stranger = new Queue('issuance', {
      connection: shop.options.connect(),
      prefix: shop.options.prefix,
    });
    await stranger.add('deploy', { id: 'x' });
    await stranger.add('issue', { name: 'no id' });
    await stranger.add('issue', { id: 7 });
    await stranger.add('constructor', { id: 'x' });
    await stranger.add('issue', { id: 'good' });
    await calls.reach(1);
    await until('the queue to be empty', async () => (await waiting(shop, 'issuance')) === 0);
    await stranger.close();
    expect(calls.all).toEqual(['good']);
    expect(shop.log.filter((line) => line.startsWith('error a job that is not ours'))).toHaveLength(4);
  });

  it('does as many jobs at once as it may, one a lineage', async () => {
    const shop = await shops.open();
    const calls = createCalls<string>();
    const gate = deferred();
    let atOnce = 0;
    let most = 0;
    shop.start({
      issue: async (id) => {
        calls.push(id);
        most = Math.max(most, ++atOnce);
        await gate.promise;
        atOnce--;
        return undefined;
      },
    });
    const ids = Array.from({ length: 6 }, (_, index) => `n${index}`);
    await shop.queues.wake('issue', [...ids, ...ids]);
    await calls.reach(4);
    gate.resolve();
    await calls.reach(6);
    await until('the queue to be empty', async () => (await waiting(shop, 'issuance')) === 0);
    expect(most).toBe(4);
    expect([...calls.all].sort()).toEqual(ids);
  });

  it('aborts what still runs when its agent stops, and the job goes to another one', async () => {
    const shop = await shops.open();
    const calls = createCalls<string>();
    const workers = shop.start({
      issue: (_, signal) => {
        calls.push('first');
        return new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason), { once: true });
        });
      },
    });
    await shop.store.changes.commit({ due: [{ job: 'issue', id: 'x', at: 5 }] });
    await shop.queues.wake('issue', ['x']);
    await calls.reach(1);
    await workers.close(50);
    expect(await shop.store.due.at('issue', 'x')).toBe(5);
    shop.start({ issue: async () => calls.push('second') });
    await shop.queues.offer([{ job: 'issue', id: 'x', at: 5 }]);
    await calls.reach(2);
    expect(calls.all).toEqual(['first', 'second']);
  });
});

describe('a job that sleeps', () => {
  async function sleeping(): Promise<{ shop: Shop; calls: ReturnType<typeof createCalls<string>> }> {
    const shop = await shops.open();
    const calls = createCalls<string>();
    shop.start({
      issue: async (id) => {
        calls.push(id);
        return calls.all.length === 1 ? { again: Date.now() + 4 * minute } : undefined;
      },
    });
    await shop.queues.wake('issue', ['x']);
    await until('the job to sleep', async () => (await shop.queues.counts()).issuance.delayed === 1);
    return { shop, calls };
  }

  it('is woken by a wish', async () => {
    const { shop, calls } = await sleeping();
    await shop.queues.wake('issue', ['x']);
    await calls.reach(2);
    await until('the queue to be empty', async () => (await waiting(shop, 'issuance')) === 0);
  });

  it('is not woken by the tick', async () => {
    const { shop, calls } = await sleeping();
    await shop.queues.offer([
      { job: 'issue', id: 'x', at: 1 },
      { job: 'issue', id: 'y', at: 1 },
    ]);
    await calls.reach(2);
    await until('only the sleeper to be left', async () => (await waiting(shop, 'issuance')) === 1);
    expect(calls.all).toEqual(['x', 'y']);
    expect((await shop.queues.counts()).issuance.delayed).toBe(1);
  });
});

describe('a wish after the last look of the job', () => {
  async function wishedDuring(againMs: number): Promise<{ shop: Shop; wishedAt: number; calls: number[] }> {
    const shop = await shops.open();
    const calls = createCalls<number>();
    const wishedAt = Date.now();
    await shop.store.changes.commit({ due: [{ job: 'issue', id: 'x', at: 5 }] });
    shop.start({
      issue: async () => {
        calls.push(Date.now());
        if (calls.all.length > 1) return undefined;
        await shop.store.changes.commit({ due: [{ job: 'issue', id: 'x', at: wishedAt }] });
        await shop.queues.wake('issue', ['x']);
        return { again: Date.now() + againMs };
      },
    });
    await shop.queues.wake('issue', ['x']);
    await calls.reach(againMs > 5 * minute ? 1 : 2);
    await until('the job to end', async () => (await waiting(shop, 'issuance')) === 0);
    return { shop, wishedAt, calls: [...calls.all] };
  }

  it('is carried out at once, not after the sleep', async () => {
    const { shop, wishedAt, calls } = await wishedDuring(4 * minute);
    expect(calls).toHaveLength(2);
    expect(await shop.store.due.at('issue', 'x')).toBe(wishedAt);
  });

  it('is left to the tick by a job that does not sleep', async () => {
    const { shop, wishedAt, calls } = await wishedDuring(60 * minute);
    expect(calls).toHaveLength(1);
    expect(await shop.store.due.at('issue', 'x')).toBe(wishedAt);
  });
});
