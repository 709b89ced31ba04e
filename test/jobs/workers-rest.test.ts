import { Queue } from 'bullmq';
import { describe, expect, it } from 'vitest';
import { createCommandClient } from '../../jobs/queue.ts';
import { deferred } from '../support/deferred.ts';
import { until } from '../support/process.ts';
import { createCalls, startShops, waiting } from './given.ts';

const shops = startShops();

describe('workers that rest', () => {
  it('take no job, leave it to others, and take up again', async () => {
    const shop = await shops.open();
    const calls = createCalls<string>();
    const gate = deferred();
    const issue = (who: string) => async (id: string) => {
      calls.push(`${who} ${id}`);
      if (id === 'long') await gate.promise;
      return undefined;
    };
    const workers = shop.start({ issue: issue('first') });
    await shop.queues.wake('issue', ['long']);
    await calls.reach(1);
    await workers.pause();
    await shop.queues.wake('issue', ['a', 'b']);
    const others = shop.start({ issue: issue('other') });
    await calls.reach(3);
    expect([...calls.all].sort()).toEqual(['first long', 'other a', 'other b']);
    await others.close(1000);
    await workers.resume();
    await shop.queues.wake('issue', ['c']);
    await calls.reach(4);
    gate.resolve();
    await until('the queue to be empty', async () => (await waiting(shop, 'issuance')) === 0);
    expect(calls.all[3]).toBe('first c');
    expect((await shop.queues.counts()).issuance).toMatchObject({ failed: 0 });
  });

  it('give back the job that they were waiting for', async () => {
    const shop = await shops.open();
    const calls = createCalls<string>();
    const workers = shop.start({ issue: async (id) => calls.push(id) });
    const queue = new Queue('issuance', { connection: shop.options.connect(), prefix: shop.options.prefix });
    const client = shop.store.createConnection('wait');
    await until('all workers to wait for jobs', async () => {
      const clients = String(await client.client('LIST')).split('\n');
      const own = clients.filter((line) => line.includes(`name=${shop.options.prefix}:`));
      return own.filter((line) => line.includes('flags=b') && line.includes('cmd=bzpopmin')).length === 5;
    });
    client.disconnect();
    await workers.pause();
    await shop.queues.wake('issue', ['a']);
    await until('the job to wait again', async () => {
      const [job] = await queue.getWaiting();
      return job?.attemptsStarted === 1;
    });
    await queue.close();
    shop.start({ issue: async (id) => calls.push(`other ${id}`) });
    await calls.reach(1);
    expect(calls.all).toEqual(['other a']);
  });

  it('leave commands waiting, too', async () => {
    const shop = await shops.open();
    const workers = shop.start({}, async ({ name }) => name);
    await workers.pause();
    const client = createCommandClient(shop.options);
    await expect(client.send('hosts.add', {}, 300)).rejects.toMatchObject({ code: 'store.notRunning' });
    await workers.resume();
    expect(await client.send('renew', {}, 20_000)).toBe('renew');
    await client.close();
  });

  it('do more or fewer jobs at once as they are told', async () => {
    const shop = await shops.open();
    const calls = createCalls<string>();
    const gates = [deferred(), deferred(), deferred()];
    const workers = shop.start({
      upkeep: async (id) => {
        const gate = gates[calls.all.length];
        calls.push(id);
        await gate?.promise;
        return undefined;
      },
    });
    await shop.queues.wake('upkeep', ['a', 'b', 'c']);
    await calls.reach(1);
    workers.limit({ commands: 1, issuance: 1, deploy: 1, notify: 1, upkeep: 2 });
    gates[0]?.resolve();
    await calls.reach(3);
    for (const gate of gates) gate.resolve();
    await until('the jobs to end', async () => (await shop.queues.counts()).upkeep.active === 0);
  });
});
