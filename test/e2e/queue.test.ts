import { Queue, QueueEvents } from 'bullmq';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AgentSite } from '../support/agent.ts';
import { startPebble } from '../support/pebble.ts';
import { type ServerProcess, until } from '../support/process.ts';
import type { TestProxy } from '../support/proxy.ts';
import { startRedis } from '../support/redis.ts';
import { accepted, hostNames, hostsSite, issued, proxyBefore } from './given.ts';

/** What the manual tells a client in any language: this prefix, these queues. */
const prefix = '{acme}:q';
const hosts = hostNames(2);
const running: { stop(): Promise<unknown> }[] = [];

let site: AgentSite;
let agent: ServerProcess;
let proxy: TestProxy;
let commands: Queue;
let issuance: Queue;
let answers: QueueEvents;

beforeAll(async () => {
  const pebble = await startPebble();
  proxy = await proxyBefore(pebble);
  const redis = await startRedis();
  running.push(pebble, proxy, redis);
  site = await hostsSite({ pebble, proxy, hosts, config: { redis: { url: redis.url } } });
  agent = await site.start();
  running.push(agent);
  const connection = { host: '127.0.0.1', port: redis.port };
  commands = new Queue('commands', { connection, prefix });
  issuance = new Queue('issuance', { connection, prefix });
  answers = new QueueEvents('commands', { connection, prefix });
  await answers.waitUntilReady();
  for (const one of [commands, issuance, answers]) running.push({ stop: () => one.close() });
  await issued(site, hosts);
});

afterAll(async () => {
  for (const one of running.splice(0).reverse()) await one.stop();
});

async function send(name: string, data: unknown): Promise<unknown> {
  const job = await commands.add(name, data);
  return job.waitUntilFinished(answers, 20_000);
}

async function idle(queue: Queue): Promise<void> {
  await until('the queue is empty', async () => {
    const { waiting = 0, active = 0, delayed = 0 } = await queue.getJobCounts();
    return waiting + active + delayed === 0;
  });
}

describe('a bare BullMQ queue', () => {
  it('renews all', async () => {
    const before = await issued(site, hosts);
    const orders = accepted(proxy, 'newOrder');
    const answer = await send('renew-all', { v: 1, input: { force: true }, requestedBy: 'a platform' });
    expect(answer).toMatchObject({ taskId: expect.stringMatching(/^task-/), lineages: 2 });
    await issued(site, hosts, { before });
    expect(accepted(proxy, 'newOrder')).toBe(orders + 2);
  });

  it('adds a host, which is then issued', async () => {
    const name = 'added.hosts.test';
    expect(await send('hosts.add', { v: 1, input: { names: [name] } })).toMatchObject({ added: [name] });
    await issued(site, [name]);
    await expect(send('hosts.add', { v: 1, input: { names: [name] } })).rejects.toThrow(
      /^command\.conflict: .*added\.hosts\.test/,
    );
  });

  it('has a command with an idempotency key carried out once, with the same answer each time', async () => {
    const before = await issued(site, hosts);
    const orders = accepted(proxy, 'newOrder');
    const data = { v: 1, input: { target: 'h0.hosts.test', force: true }, idempotencyKey: 'night 17' };
    const [first, second] = await Promise.all([send('renew', data), send('renew', data)]);
    expect(second).toEqual(first);
    await issued(site, ['h0.hosts.test'], { before });
    expect(await send('renew', data)).toEqual(first);
    const host = { v: 1, input: { names: ['once.hosts.test'] }, idempotencyKey: 'host 17' };
    const added = await Promise.all([send('hosts.add', host), send('hosts.add', host)]);
    expect(added[1]).toEqual(added[0]);
    await issued(site, ['once.hosts.test']);
    await idle(issuance);
    expect(accepted(proxy, 'newOrder')).toBe(orders + 2);
  });

  const bad: readonly (readonly [string, string, unknown, RegExp])[] = [
    ['an unknown operation', 'renew-al', { v: 1 }, /^command\.unknown: .*"renew-al"; do you mean renew-all/],
    ['a name that every object has', 'constructor', { v: 1 }, /^command\.unknown: .*"constructor"/],
    ['a read', 'certs.list', { v: 1, input: {} }, /^command\.unknown: certs\.list is a read/],
    ['another version', 'renew-all', { v: 2, input: {} }, /^command\.invalid: renew-all: v must be 1/],
    ['no version', 'renew-all', {}, /^command\.invalid: renew-all: v is missing/],
    ['a list', 'renew-all', [], /^command\.invalid: renew-all: data must be an object/],
    ['text', 'renew-all', 'now', /^command\.invalid: renew-all: data must be an object/],
    ['an unknown field', 'renew-all', { v: 1, when: 'now' }, /^command\.invalid: .*unknown field "when"/],
    [
      'an unknown input',
      'renew-all',
      { v: 1, input: { froce: true } },
      /^command\.invalid: .*unknown field "froce"/,
    ],
    [
      'a wrong type',
      'hosts.add',
      { v: 1, input: { names: 'a.test' } },
      /^command\.invalid: .*names must be a list/,
    ],
    ['a missing input', 'hosts.add', { v: 1 }, /^command\.invalid: .*names/],
    ['a name that is none', 'hosts.add', { v: 1, input: { names: ['../etc'] } }, /^command\.invalid: /],
    [
      'a host of no domain',
      'hosts.add',
      { v: 1, input: { names: ['a.elsewhere.test'] } },
      /^command\.notFound: .*a\.elsewhere\.test/,
    ],
    [
      'more than 64 KiB',
      'hosts.add',
      { v: 1, input: { names: ['x'.repeat(70_000)] } },
      /^command\.invalid: hosts\.add: the data has \d+ bytes and at most 65536 are taken/,
    ],
  ];

  it.each(bad)(
    'that sends %s is told what is wrong, and nothing is harmed',
    async (_, name, data, reason) => {
      const orders = accepted(proxy, 'newOrder');
      const job = await commands.add(name, data);
      await expect(job.waitUntilFinished(answers, 20_000)).rejects.toThrow(reason);
      const { failedReason, attemptsMade } = (await commands.getJob(job.id ?? '')) ?? {};
      expect(failedReason).toMatch(reason);
      expect(attemptsMade).toBe(1);
      expect(accepted(proxy, 'newOrder')).toBe(orders);
    },
  );

  it('that adds strange jobs to another queue harms nothing', async () => {
    const orders = accepted(proxy, 'newOrder');
    const lineage = 'hosts.test/h0.hosts.test/ec';
    await issuance.addBulk([
      { name: 'issue', data: {} },
      { name: 'issue', data: { id: 'nothing/known/ec' } },
      { name: 'issue', data: { id: lineage } },
      { name: 'deploy', data: { id: lineage } },
      { name: 'constructor', data: { id: lineage } },
    ]);
    await idle(issuance);
    expect(accepted(proxy, 'newOrder')).toBe(orders);
    await until('the log tells', () => agent.output().includes('a job that is not ours was dropped'));
    expect(await send('renew', { v: 1, input: { target: lineage } })).toMatchObject({ lineages: [lineage] });
  });
});
