import { randomUUID } from 'node:crypto';
import type { CommandClient } from '../../jobs/queue.ts';
import { systemClock } from '../clock.ts';
import type { LoadedConfig } from '../config/config.ts';
import { describeProvider } from '../config/describe.ts';
import { readEnvironment } from '../config/load.ts';
import { AgentError, type ErrorCode, errorTable, isAgentError } from '../core/errors.ts';
import type { Clock, Ports } from '../core/ports.ts';
import { createLog } from '../log.ts';
import type { Operation, OperationsClient } from '../operations/define.ts';
import { budgetOf } from './budget.ts';
import { createCare } from './care.ts';
import { openOthersStore } from './open.ts';

const answerMs = 60_000;
const followMs = 300;
/** A restart or a failover of Redis is over by then. */
const patienceMs = 60_000;

const leftToAgent = async () => {
  throw new AgentError('bug', 'another process than the agent was to do what is left to it');
};
const accountChanges = { rollover: leftToAgent, deactivate: leftToAgent };
const preflight = { look: leftToAgent };
const prober = { look: leftToAgent };
const jobs = { wake: leftToAgent };
const issuerCertificates = { fetch: leftToAgent };

/** For a process beside the agent: reads run here on the store, writes go through the command queue. */
export async function openClient(loaded: LoadedConfig): Promise<OperationsClient> {
  const clock = systemClock;
  const log = createLog({ level: 'error' });
  const environment = readEnvironment();
  const { store } = await openOthersStore(loaded, { environment, clock, log });
  const queue = { connect: () => store.createConnection('wait'), prefix: store.queuePrefix, log };
  let commands: CommandClient | undefined;
  const budget = budgetOf(loaded, { buckets: store.buckets, clock, log });
  const settings = () => loaded.settings;
  const dnsCare = createCare(loaded, { store, environment, clock, log });
  const dnsProviders = () => [...loaded.definitions.dns.values()].map(describeProvider);
  const needs = {
    ...store,
    budget,
    preflight,
    prober,
    accountChanges,
    dnsProviders,
    dnsCare,
    issuerCertificates,
    jobs,
    settings,
    random: Math.random,
    clock,
    log,
  };

  async function run<Input, Output>(operation: Operation<Input, Output>, input: Input): Promise<Output> {
    if (operation.kind === 'read') return operation.run(operation.input.parse(input), needs, {});
    // Reads are quicker without it.
    const { createCommandClient } = await import('../../jobs/queue.ts');
    commands ??= createCommandClient(queue);
    const answer = await commands
      .send(operation.name, { v: 1, input, requestedBy: 'cli', idempotencyKey: randomUUID() }, answerMs)
      .catch((error: unknown) => {
        throw asRefusal(error);
      });
    return answer as Output;
  }

  async function close(): Promise<void> {
    await Promise.all([commands?.close(), dnsCare.close()]);
    await store.close();
  }

  return { run, stage: store.staging.put, follow: follower(store.tasks, clock), close };
}

function follower(tasks: Pick<Ports['tasks'], 'get'>, clock: Clock): OperationsClient['follow'] {
  return async (taskId, progress, signal) => {
    for (let seenAt = clock.now(); ; ) {
      const task = await tasks.get(taskId).catch((error: unknown) => {
        if (!isAgentError(error, 'store.unavailable') || clock.now() - seenAt > patienceMs) throw error;
        return 'away' as const;
      });
      if (task === undefined) throw new AgentError('command.notFound', `there is no task ${taskId}`);
      if (task !== 'away') {
        seenAt = clock.now();
        progress(task);
        if (task.finishedAt !== undefined) return task;
      }
      await clock.sleep(followMs, signal);
    }
  };
}

/** A worker puts the code in front of its message, and the advice behind. */
function asRefusal(error: unknown): unknown {
  const text = error instanceof Error ? error.message : String(error);
  const [code = '', ...rest] = text.split(': ');
  if (error instanceof AgentError || !(code in errorTable)) return error;
  const message = rest.join(': ').replace(`. ${errorTable[code as ErrorCode].advice}`, '');
  return new AgentError(code as ErrorCode, message);
}
