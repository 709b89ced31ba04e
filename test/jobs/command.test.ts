import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { commandHandler } from '../../jobs/command.ts';
import { createCommandClient } from '../../jobs/queue.ts';
import { createBudget } from '../../src/acme/budget.ts';
import { systemClock as clock } from '../../src/clock.ts';
import { AgentError } from '../../src/core/errors.ts';
import { defineOperation } from '../../src/operations/define.ts';
import { settings } from '../core/given.ts';
import { createMemoryLog } from '../support/memory.ts';
import { createCalls, startShops, waiting } from './given.ts';

const shops = startShops();

describe('a command', () => {
  it('is answered with what it returned', async () => {
    const shop = await shops.open();
    shop.start({}, async ({ name, data }) => ({ name, data }));
    const client = createCommandClient(shop.options);
    const answer = await client.send('hosts.add', { v: 1, input: { names: ['a'] } }, 20_000);
    await client.close();
    expect(answer).toEqual({ name: 'hosts.add', data: { v: 1, input: { names: ['a'] } } });
  });

  it('that is refused says code, reason and remedy in this order', async () => {
    const shop = await shops.open();
    shop.start({}, async () => {
      throw new AgentError('command.notFound', 'there is no domain example.org');
    });
    const client = createCommandClient(shop.options);
    await expect(client.send('domains.remove', {}, 20_000)).rejects.toThrow(
      /^command\.notFound: there is no domain example\.org\. Check the name; /,
    );
    await client.close();
    expect(shop.log.filter((line) => line.startsWith('warn command refused'))).toHaveLength(1);
  });

  it('that breaks in a way nobody foresaw says "bug" in front, and is not repeated', async () => {
    const shop = await shops.open();
    const calls = createCalls<string>();
    shop.start({}, async ({ name }) => {
      calls.push(name);
      throw new TypeError('x is not a function');
    });
    const client = createCommandClient(shop.options);
    await expect(client.send('renew', {}, 20_000)).rejects.toThrow(/^bug: .*x is not a function/);
    await client.close();
    expect(calls.all).toEqual(['renew']);
  });

  it('that no worker takes in time is reported as such, and stays in the queue', async () => {
    const shop = await shops.open();
    const client = createCommandClient(shop.options);
    await expect(client.send('renew-all', {}, 200)).rejects.toMatchObject({ code: 'store.notRunning' });
    expect(await waiting(shop, 'commands')).toBe(1);
    await client.close();
  });

  it('that a killed worker left under way can be taken up by another one soon', async () => {
    const { store, queues } = await shops.open();
    const seen: number[] = [];
    const operation = defineOperation({
      name: 'probe',
      kind: 'write',
      method: 'POST',
      path: '/probe',
      scope: 'operate',
      summary: 'Looks how long its own lock lives.',
      input: z.unknown(),
      run: async () => {
        const client = store.createConnection('wait');
        const [key = ''] = await client.keys(`${store.queuePrefix.replace(/q$/, '')}lock:command:*`);
        seen.push(await client.pttl(key));
        client.disconnect();
      },
    });
    const log = createMemoryLog();
    const parse = () => ({ operation, input: undefined, caller: { idempotencyKey: 'one' } });
    const budget = createBudget([], { buckets: store.buckets, clock, log });
    const refuse = () => Promise.reject(new Error('no account is changed here'));
    const accountChanges = { rollover: refuse, deactivate: refuse };
    const ports = { ...store, budget, preflight: { look: async () => [] }, accountChanges, jobs: queues };
    const needs = { ...ports, settings: () => settings, clock, log, parse };
    const handler = commandHandler(needs);
    for (const id of ['1', '2']) await handler({ id, name: 'probe', data: {} });
    expect(seen).toHaveLength(1);
    expect(seen[0]).toBeGreaterThan(0);
    expect(seen[0]).toBeLessThanOrEqual(15_000);
  });
});
