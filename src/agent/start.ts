import { commandHandler } from '../../jobs/command.ts';
import { createHandlers } from '../../jobs/index.ts';
import { createQueues, type Queues } from '../../jobs/queue.ts';
import { startTick } from '../../jobs/tick.ts';
import { scheduleChores } from '../../jobs/upkeep.ts';
import { createWorkers } from '../../jobs/worker.ts';
import { systemClock } from '../clock.ts';
import type { LoadedConfig } from '../config/config.ts';
import { readEnvironment } from '../config/load.ts';
import { adoptDeployed } from '../core/adopt.ts';
import { adoptFile } from '../core/file-wishes.ts';
import type { Clock, Log } from '../core/ports.ts';
import { deadline } from '../core/wait.ts';
import { createPort80, tryPort } from '../edge/port80.ts';
import { createLog } from '../log.ts';
import { parseCommand } from '../operations/command.ts';
import { createChores } from './chores.ts';
import { prepareDataDir, tryDataDir } from './data-dir.ts';
import { type OpenedStore, type OpenNeeds, openOwnStore, tryOwnStore } from './open.ts';
import { type AgentPorts, agentId, createPorts } from './ports.ts';
import { watchStore } from './store-watch.ts';
import { version } from './version.ts';

export interface StartOptions {
  /** Default: those of the configuration. */
  readonly roles?: readonly string[] | undefined;
  readonly acceptEmptyStore?: boolean | undefined;
}

export interface RunningAgent {
  /** Takes a new configuration; listeners, roles and Redis stay as they are until the next start. */
  reload(loaded: LoadedConfig): Promise<void>;
  /** Ends what runs within a deadline, the embedded Redis last. */
  stop(): Promise<void>;
  /** Resolves with the fault when the agent cannot go on. */
  readonly failed: Promise<Error>;
}

interface Part {
  stop(): Promise<unknown>;
}

const stopMs = 15_000;
/** A little more than the workers take for the jobs under way. */
const partMs = 18_000;
const agreementMs = 30_000;

/** Starts the roles of one agent. Rejects with an AgentError that names the remedy, and then leaves nothing running. */
export async function startAgent(loaded: LoadedConfig, options: StartOptions = {}): Promise<RunningAgent> {
  const clock = systemClock;
  const log = createLog({ level: loaded.config.log.level });
  const environment = readEnvironment();
  const roles = options.roles ?? loaded.config.roles;
  await preflight(loaded, roles, { ...options, environment, clock, log });
  await prepareDataDir(loaded.config.dataDir);
  const opened = await openOwnStore(loaded, { ...options, environment, clock, log });
  const parts: Part[] = [{ stop: opened.stop }];
  const stop = () => stopAll(parts, { clock, log });
  try {
    const queues = createQueues({
      connect: () => opened.store.createConnection('fail'),
      prefix: opened.store.queuePrefix,
      log,
    });
    parts.push({ stop: () => queues.close() });
    const ports = await createPorts(loaded, { store: opened.store, jobs: queues, environment, clock, log });
    parts.push({ stop: () => ports.close() });
    const { ping, address } = opened.store;
    parts.push(watchStore({ ping, address, notifiers: () => ports.notifiers, clock, log }));
    const agreement = createAgreement(opened, ports, { clock, log });
    await agreement.check(loaded);
    // Before anything works: a lost store must not order anew what the targets still have.
    if (options.acceptEmptyStore === true && agreement.agreed()) {
      await adoptFile(loaded.domains, ports);
      await adoptDeployed(ports, new AbortController().signal);
    }
    await startRoles({ roles, opened, queues, ports, parts, agreed: agreement.agreed });
    parts.push(agreement);
    if (agreement.agreed()) await adoptFile(loaded.domains, ports);
    log.info(
      { version, roles, redis: opened.store.address, durable: opened.store.durableMode },
      'agent started',
    );
    const reload = (next: LoadedConfig) => reloadAgent(next, ports, agreement);
    return { reload, stop, failed: new Promise(() => {}) };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** What can be seen to fail does so here, while nothing is made and nothing runs. */
async function preflight(loaded: LoadedConfig, roles: readonly string[], needs: OpenNeeds): Promise<void> {
  const { config } = loaded;
  await tryDataDir(config.dataDir);
  await tryOwnStore(loaded, needs);
  if (roles.includes('edge')) await tryPort(config.http01);
}

/**
 * In the reverse order of their start: nothing that is still used is closed. A part that hangs, as one that waits for a
 * Redis that is away, is left behind after its time.
 */
async function stopAll(parts: Part[], { clock, log }: { clock: Clock; log: Log }): Promise<void> {
  for (const part of parts.splice(0).reverse()) {
    const { signal, cancel } = deadline(clock, partMs, 'stopping a part');
    const late = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
    await Promise.race([part.stop(), late])
      .catch((err: unknown) => log.warn({ err }, 'a part did not stop in order'))
      .finally(cancel);
  }
  log.info({}, 'agent stopped');
}

interface Starting {
  readonly roles: readonly string[];
  readonly opened: OpenedStore;
  readonly queues: Queues;
  readonly ports: AgentPorts;
  readonly parts: Part[];
  readonly agreed: () => boolean;
}

async function startRoles({ roles, opened, queues, ports, parts, agreed }: Starting): Promise<void> {
  const { config } = ports.configured().loaded;
  const { clock, log } = ports;
  if (roles.includes('edge')) {
    const edge = createPort80(config.http01, ports);
    await edge.listen();
    parts.push({ stop: () => edge.close() });
  }
  if (roles.includes('worker')) {
    const chores = createChores(ports, opened.store);
    const workers = createWorkers({
      connect: () => opened.store.createConnection('wait'),
      prefix: opened.store.queuePrefix,
      handlers: createHandlers(ports, chores),
      command: commandHandler({ ...ports, parse: parseCommand }),
      concurrency: config.concurrency,
      changes: ports.changes,
      clock,
      log,
    });
    parts.push({ stop: () => workers.close(stopMs) });
    await scheduleChores(chores, ports);
  }
  if (roles.includes('scheduler')) {
    const tick = startTick({ due: whileAgreed(opened, agreed), clock, log, queues, random: ports.random });
    parts.push(tick);
    await tick.now();
  }
}

/** An agent whose shared configuration differs from the others' schedules nothing. */
function whileAgreed({ store }: OpenedStore, agreed: () => boolean) {
  return {
    ...store.due,
    next: async (now: number, limit: number) => (agreed() ? store.due.next(now, limit) : []),
  };
}

function createAgreement(
  { store }: OpenedStore,
  ports: AgentPorts,
  { clock, log }: { clock: Clock; log: Log },
) {
  const id = agentId();
  let conflicting = false;
  let cancel = () => {};

  async function check(loaded: LoadedConfig): Promise<void> {
    const others = await store.agreeOnConfig(id, loaded.sharedHash);
    const before = conflicting;
    conflicting = others.length > 0;
    if (conflicting && !before)
      log.error(
        { agents: others.map((other) => other.id) },
        'other agents on this store have another configuration: this one does not schedule until they agree',
      );
    if (!conflicting && before) {
      log.info({}, 'the agents on this store agree again');
      await adoptFile(loaded.domains, ports);
    }
    cancel();
    cancel = clock.after(agreementMs, () => {
      check(ports.configured().loaded).catch((err: unknown) =>
        log.warn({ err }, 'the agreement of the agents could not be checked'),
      );
    });
  }

  return { check, agreed: () => !conflicting, stop: async () => cancel() };
}

async function reloadAgent(
  next: LoadedConfig,
  ports: AgentPorts,
  agreement: ReturnType<typeof createAgreement>,
): Promise<void> {
  await ports.reconfigure(next);
  await agreement.check(next);
  if (agreement.agreed()) await adoptFile(next.domains, ports);
  ports.log.info({ domains: next.domains.length }, 'configuration reloaded');
}
