import { type ConnectionOptions, DelayedError, type Job, WaitingError, Worker } from 'bullmq';
import { isAgentError, toAgentError } from '../src/core/errors.ts';
import type { Clock, Log, Ports, PutOff } from '../src/core/ports.ts';
import type { DueJob } from '../src/core/types.ts';
import { faultsTo } from './connection-fault.ts';
import { type CommandHandler, type Handler, type QueueName, queueNames, queueOf } from './define.ts';

export interface WorkerOptions {
  readonly connect: () => ConnectionOptions;
  readonly prefix: string;
  readonly handlers: Readonly<Record<DueJob, Handler>>;
  readonly command: CommandHandler;
  readonly concurrency: Readonly<Record<QueueName, number>>;
  readonly changes: Ports['changes'];
  readonly due: Ports['due'];
  readonly clock: Clock;
  readonly log: Log;
}

export interface Workers {
  /** Takes jobs from now on; until the first call none is taken. */
  resume(): Promise<void>;
  /** Takes no new job; the running ones go on to their end. */
  pause(): Promise<void>;
  /** Jobs at a time, from the next job on. */
  limit(concurrency: WorkerOptions['concurrency']): void;
  /** Takes no new job, lets the running ones end within `deadlineMs`, then aborts them. */
  close(deadlineMs: number): Promise<void>;
}

/** A job of a killed agent is taken over after this and the next look; the running ones prolong theirs at half of it. */
const takeOverMs = 15_000;
const takeOverLookMs = 5_000;

/** Not at once: the library has yet to let go of a job that has just been laid to sleep. */
const wishedMs = 250;

/** A job whose Redis went away looks again this long after it is back. */
const reconnectedMs = 1_000;

/** An order may sleep this long as a delayed job; longer waits live in the due index alone. */
const longestDelayMs = 300_000;

/** The only place that knows BullMQ's ways: handlers speak of instants. */
export function createWorkers(options: WorkerOptions): Workers {
  const { connect, prefix, concurrency, log } = options;
  let isPaused = true;
  const workers = queueNames.map((name) => {
    const process = async (job: Job, token?: string, signal?: AbortSignal) =>
      isPaused ? giveBack({ job, token }) : work(name, { job, token, signal }, options);
    const worker = new Worker(name, process, {
      connection: connect(),
      prefix,
      autorun: false,
      concurrency: concurrency[name],
      lockDuration: takeOverMs,
      stalledInterval: takeOverLookMs,
      removeOnComplete: { age: 3600, count: 10_000 },
      removeOnFail: { age: 86_400, count: 1000 },
    });
    worker.on('error', faultsTo(log, { worker: name }));
    return worker;
  });

  async function resume(): Promise<void> {
    isPaused = false;
    await Promise.all(workers.map((worker) => worker.resume()));
  }

  async function pause(): Promise<void> {
    isPaused = true;
    await Promise.all(workers.map((worker) => worker.pause(true)));
  }

  function limit(wanted: WorkerOptions['concurrency']): void {
    for (const worker of workers) worker.concurrency = wanted[worker.name as QueueName];
  }

  async function close(deadlineMs: number): Promise<void> {
    const ended = Promise.all(workers.map((worker) => worker.close()));
    const cancel = options.clock.after(deadlineMs, () => {
      for (const worker of workers) worker.cancelAllJobs('the agent stops');
    });
    await ended.finally(cancel);
  }

  return { resume, pause, limit, close };
}

interface Taken {
  readonly job: Job;
  readonly token: string | undefined;
  readonly signal: AbortSignal | undefined;
}

/** A worker that waits for a job when it is paused still takes that one: it is for others. */
async function giveBack({ job, token }: Pick<Taken, 'job' | 'token'>): Promise<never> {
  await job.moveToWait(token);
  throw new WaitingError();
}

async function work(queue: QueueName, taken: Taken, options: WorkerOptions): Promise<unknown> {
  const { job } = taken;
  if (queue === 'commands') return command(job, options);
  const signal = taken.signal ?? new AbortController().signal;
  const kind = job.name as DueJob;
  const handler = queueOf[kind] === queue ? options.handlers[kind] : undefined;
  const id: unknown = job.data?.id;
  if (handler === undefined || typeof id !== 'string') {
    options.log.error({ queue, job: job.name }, 'a job that is not ours was dropped');
    return undefined;
  }
  try {
    const from = options.due.at(kind, id).catch(() => undefined);
    const result = await handler(id, signal);
    if (result !== undefined)
      await comeBack({ job: kind, id, from: await from, at: result.again }, taken, options);
  } catch (error) {
    if (!(error instanceof DelayedError)) logFailure(error, { kind, id }, options.log);
    if (isAgentError(error, 'store.unavailable')) await sleep(options.clock.now() + reconnectedMs, taken);
    throw error;
  }
  return undefined;
}

/**
 * The instant goes to the due index first, so that a lost queue loses nothing and the tick lets the job sleep. A wish
 * that came after the handler's last look could not wake the running job, but left its instant there: it shortens the sleep.
 */
async function comeBack(
  putOff: PutOff,
  { job, token }: Taken,
  { changes, due, clock }: WorkerOptions,
): Promise<void> {
  await changes.commit({ putOff });
  const until = Math.max(putOff.at, clock.now() + 1);
  if (until - clock.now() > longestDelayMs) return;
  await job.moveToDelayed(until, token);
  const wishedAt = await due.at(putOff.job, putOff.id);
  if (wishedAt !== undefined && wishedAt < putOff.at) await hurry(job);
  throw new DelayedError();
}

/** Somebody else may have woken it since, and then it does not sleep any more. */
async function hurry(job: Job): Promise<void> {
  await job.changeDelay(wishedMs).catch(() => undefined);
}

async function sleep(until: number, { job, token }: Taken): Promise<never> {
  await job.moveToDelayed(until, token);
  throw new DelayedError();
}

async function command(job: Job, options: WorkerOptions): Promise<unknown> {
  try {
    return await options.command({
      id: String(job.id),
      isRepeat: job.stalledCounter > 0,
      name: job.name,
      data: job.data,
    });
  } catch (cause) {
    const error = toAgentError(cause);
    options.log.warn({ command: job.name, code: error.code, err: error }, 'command refused');
    // BullMQ keeps only the text; clients find the code in front of it.
    throw new Error(`${error.code}: ${error.message}. ${error.advice}`);
  }
}

function logFailure(error: unknown, facts: { kind: DueJob; id: string }, log: Log): void {
  if (isAgentError(error, 'store.fenced'))
    log.info({ ...facts, err: error }, 'job gave way to another worker');
  else if (isAgentError(error, 'store.unavailable'))
    log.warn({ ...facts, err: error }, 'job stopped without Redis; it goes on when Redis is back');
  else log.error({ ...facts, err: error }, 'job failed; the next tick brings it back');
}
