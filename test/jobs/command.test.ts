import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { commandHandler } from '../../jobs/command.ts';
import type { CommandHandler } from '../../jobs/define.ts';
import { createCommandClient } from '../../jobs/queue.ts';
import { createBudget } from '../../src/acme/budget.ts';
import { systemClock as clock } from '../../src/clock.ts';
import { AgentError } from '../../src/core/errors.ts';
import { defineOperation } from '../../src/operations/define.ts';
import type { Store } from '../../src/store/index.ts';
import { settings } from '../core/given.ts';
import { createMemoryLog } from '../support/memory.ts';
import { noDnsCare } from '../support/no-dns-care.ts';
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
    const { store } = await shops.open();
    const seen: number[] = [];
    const handler = await handlerOf(store, async () => {
      const client = store.createConnection('wait');
      const [key = ''] = await client.keys(`${store.queuePrefix.replace(/q$/, '')}lock:command:*`);
      seen.push(await client.pttl(key));
      client.disconnect();
    });
    for (const id of ['1', '2']) await handler({ id, name: 'probe', data: {} });
    expect(seen).toHaveLength(1);
    expect(seen[0]).toBeGreaterThan(0);
    expect(seen[0]).toBeLessThanOrEqual(15_000);
  });

  it('whose worker went away is a repeat for the next one, and no other is', async () => {
    const shop = await shops.open();
    const client = createCommandClient(shop.options);
    const redis = shop.store.createConnection('wait');
    const queue = `${shop.store.queuePrefix}:commands`;
    const sent = client.send('hosts.add', { v: 1 }, 20_000);
    const taken = await redis.blmove(`${queue}:wait`, `${queue}:active`, 'RIGHT', 'LEFT', 20);
    await redis.sadd(`${queue}:stalled`, String(taken));
    redis.disconnect();
    shop.start({}, async ({ isRepeat }) => ({ isRepeat }));
    expect(await sent).toEqual({ isRepeat: true });
    expect(await client.send('hosts.add', { v: 1 }, 20_000)).toEqual({ isRepeat: false });
    await client.close();
  });

  it('sent again with its key after a run that was cut off is a repeat; after a refusal it is the first', async () => {
    const { store } = await shops.open();
    const ends = [
      new AgentError('command.conflict', 'not yet'),
      new AgentError('store.unavailable', 'Redis went away'),
      undefined,
    ];
    const seen: unknown[] = [];
    const handler = await handlerOf(store, async (isRepeat) => {
      seen.push(isRepeat);
      const error = ends.shift();
      if (error !== undefined) throw error;
      return { added: 1 };
    });
    const send = () => handler({ id: '1', name: 'probe', data: {} }).catch((error: AgentError) => error.code);
    const answers = [await send(), await send(), await send(), await send()];
    expect(answers).toEqual(['command.conflict', 'store.unavailable', { added: 1 }, { added: 1 }]);
    expect(seen).toEqual([false, false, true]);
  });
});

/** The handler of one operation, sent with a key. */
async function handlerOf(
  store: Store,
  run: (isRepeat: boolean | undefined) => Promise<unknown>,
): Promise<CommandHandler> {
  const operation = defineOperation({
    name: 'probe',
    kind: 'write',
    method: 'POST',
    path: '/probe',
    scope: 'operate',
    summary: 'Does what a test wants.',
    input: z.unknown(),
    run: (_input, _needs, { isRepeat }) => run(isRepeat),
  });
  const log = createMemoryLog();
  const parse = () => ({ operation, input: undefined, caller: { idempotencyKey: 'one' } });
  const budget = createBudget([], { buckets: store.buckets, clock, log });
  const refuse = () => Promise.reject(new Error('no account is changed here'));
  const accountChanges = { rollover: refuse, deactivate: refuse };
  const jobs = { wake: async () => {} };
  const issuerCertificates = { fetch: refuse };
  const ports = {
    ...store,
    budget,
    preflight: { look: async () => [] },
    prober: { look: async () => [] },
    random: () => 0.5,
    accountChanges,
    issuerCertificates,
    jobs,
    dnsCare: noDnsCare(),
    dnsProviders: () => [],
  };
  return commandHandler({ ...ports, settings: () => settings, clock, log, parse });
}
