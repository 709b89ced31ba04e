import { randomUUID } from 'node:crypto';
import { type ConnectionOptions, type JobsOptions, Queue, QueueEvents } from 'bullmq';
import { AgentError } from '../src/core/errors.ts';
import type { Jobs, Log } from '../src/core/ports.ts';
import type { DueEntry, DueJob } from '../src/core/types.ts';
import { faultsTo } from './connection-fault.ts';
import { type QueueName, queueNames, queueOf } from './define.ts';

export interface QueueOptions {
  /** Makes a connection for one queue; it must fail fast while Redis is away. */
  readonly connect: () => ConnectionOptions;
  /** Hash-tagged, so that all keys of a queue share a slot. */
  readonly prefix: string;
  readonly log: Log;
}

export interface Queues extends Jobs {
  /** As `wake`, but leaves a job that sleeps asleep: it knows why. */
  offer(entries: readonly DueEntry[]): Promise<void>;
  counts(): Promise<Readonly<Record<QueueName, Record<string, number>>>>;
  close(): Promise<void>;
}

/** Finished jobs leave no trace: what happened is in the store. Failed ones stay a day for a look. */
const kept: JobsOptions = { attempts: 1, removeOnComplete: true, removeOnFail: { age: 86_400, count: 1000 } };

export function createQueues({ connect, prefix, log }: QueueOptions): Queues {
  const queues = new Map(queueNames.map((name) => [name, openQueue(name)]));

  function openQueue(name: QueueName): Queue {
    const queue = new Queue(name, { connection: connect(), prefix });
    queue.on('error', faultsTo(log, { queue: name }));
    return queue;
  }

  async function add(job: DueJob, ids: readonly string[], reschedule: boolean): Promise<void> {
    if (ids.length === 0) return;
    const jobs = ids.map((id) => ({
      name: job,
      data: { id },
      opts: { ...kept, deduplication: { id: `${job} ${id}`, ...(reschedule ? { reschedule } : {}) } },
    }));
    await queues.get(queueOf[job])?.addBulk(jobs);
  }

  async function offer(entries: readonly DueEntry[]): Promise<void> {
    for (const job of new Set(entries.map((entry) => entry.job)))
      await add(
        job,
        entries.filter((entry) => entry.job === job).map(({ id }) => id),
        false,
      );
  }

  async function counts(): Promise<Record<QueueName, Record<string, number>>> {
    const all = await Promise.all(
      [...queues].map(async ([name, queue]) => [name, await queue.getJobCounts()] as const),
    );
    return Object.fromEntries(all) as Record<QueueName, Record<string, number>>;
  }

  async function close(): Promise<void> {
    await Promise.all([...queues.values()].map((queue) => queue.close()));
  }

  return { wake: (job, ids) => add(job, ids, true), offer, counts, close };
}

export interface CommandClientOptions extends QueueOptions {
  /** So often a sender sees whether its command, and a worker for it, is still there. Default 2 s. */
  readonly lookMs?: number | undefined;
}

export interface CommandClient {
  /**
   * Resolves with the command's answer; rejects with what the worker said, or after `timeoutMs` without an answer, sooner
   * where nobody is there to take it. `data` holds an idempotency key: the command is sent anew when Redis lost it or was away.
   */
  send(name: string, data: object, timeoutMs: number): Promise<unknown>;
  close(): Promise<void>;
}

const keptCommand: JobsOptions = {
  attempts: 1,
  removeOnComplete: { age: 3600 },
  removeOnFail: { age: 86_400 },
};

/** So many looks in a row must find no worker: one that lost its connection is back by then. */
const lonelyLooks = 4;
/** A command that failed since Redis was away is sent anew after this. */
const awayMs = 1_000;

/** For a process that sends commands and waits for the answers; the same can be done by any BullMQ client. */
export function createCommandClient({
  connect,
  prefix,
  log,
  lookMs = 2_000,
}: CommandClientOptions): CommandClient {
  const queue = new Queue('commands', { connection: connect(), prefix });
  const events = new QueueEvents('commands', { connection: connect(), prefix });
  queue.on('error', faultsTo(log, { queue: 'commands' }));
  events.on('error', faultsTo(log, { queue: 'commands' }));

  /** Under one id the command is never there twice, and it is there again after a failover of Redis that lost it. */
  async function send(name: string, data: object, timeoutMs: number): Promise<unknown> {
    await events.waitUntilReady();
    let again: JobsOptions = { jobId: randomUUID() };
    let lonely = 0;
    for (let waited = 0; waited < timeoutMs; waited += lookMs) {
      const job = await queue.add(name, data, { ...keptCommand, ...again });
      try {
        return await job.waitUntilFinished(events, Math.min(lookMs, timeoutMs));
      } catch (error) {
        if (isLate(error) || (await job.getState()) !== 'failed') {
          lonely = (await isServed()) ? 0 : lonely + 1;
          if (lonely < lonelyLooks) continue;
          throw unanswered(`no agent that works is there to take the command ${name}`);
        }
        if (!isAway(error)) throw error;
        again = { jobId: randomUUID(), delay: awayMs };
      }
    }
    throw unanswered(`no worker has answered the command ${name} within ${timeoutMs / 1000} s`);
  }

  /** By the connections that Redis has; where it does not tell, as some that are rented do not, there may be a worker. */
  function isServed(): Promise<boolean> {
    return queue.getWorkersCount().then(
      (count) => count > 0,
      () => true,
    );
  }

  async function close(): Promise<void> {
    await Promise.all([queue.close(), events.close()]);
  }

  return { send, close };
}

function unanswered(message: string): AgentError {
  return new AgentError('store.notRunning', `${message}; it stays in the queue`, {
    advice:
      'Start an agent with "acme-agent start", or see in the log of the one that runs what it waits for.',
  });
}

/** The wait ended, not the command: where it failed before its events were read, the next look finds the answer. */
function isLate(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('Job wait ');
}

/** A worker's error is text that begins with its code. */
function isAway(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('store.unavailable:');
}
