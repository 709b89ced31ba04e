import { commandHandler } from '../../jobs/command.ts';
import { createHandlers } from '../../jobs/index.ts';
import type { Queues } from '../../jobs/queue.ts';
import { startTick, type Tick } from '../../jobs/tick.ts';
import { scheduleChores } from '../../jobs/upkeep.ts';
import { createWorkers, type Workers } from '../../jobs/worker.ts';
import type { Config } from '../config/config.ts';
import { createHttpsRedirect } from '../edge/https-redirect.ts';
import { createPort80 } from '../edge/port80.ts';
import { createTlsAlpn } from '../edge/tls-alpn.ts';
import { parseCommand } from '../operations/command.ts';
import type { Store } from '../store/index.ts';
import type { Work } from './agreement.ts';
import { createChores } from './chores.ts';
import { createErrands } from './errands.ts';
import { startOnDemand } from './on-demand.ts';
import type { AgentPorts } from './ports.ts';

export interface RolesNeeds {
  readonly roles: readonly string[];
  readonly store: Store;
  readonly queues: Queues;
  readonly ports: AgentPorts;
  /** Takes each thing that was started, to be stopped in reverse. */
  readonly keep: (part: { stop(): Promise<unknown> }) => void;
}

export interface Roles extends Work {
  /** Jobs at a time, from the next job on. */
  limit(concurrency: Config['concurrency']): void;
}

/** A job under way has this long to end when the agent stops. */
const stopMs = 15_000;

/** Listens at once, since challenges are answered for all agents; schedules and works from `begin` on. */
export async function startRoles(needs: RolesNeeds): Promise<Roles> {
  const { roles, ports, keep } = needs;
  const chores = createChores(ports, needs.store);
  let working = false;
  if (roles.includes('edge')) {
    const { http01, tlsAlpn01 } = ports.configured().loaded.config;
    const tlsAlpn = tlsAlpn01 === undefined ? [] : [createTlsAlpn(tlsAlpn01, ports)];
    const port80 = createPort80(http01, { ...ports, otherwise: createHttpsRedirect(http01, ports) });
    for (const edge of [port80, ...tlsAlpn]) {
      await edge.listen();
      keep({ stop: () => edge.close() });
    }
  }
  if (roles.includes('worker')) keep(startOnDemand(() => working, ports));
  const workers = roles.includes('worker') ? startWorkers(chores, needs) : undefined;
  const tick = roles.includes('scheduler') ? startScheduler(() => working, needs) : undefined;

  async function begin(): Promise<void> {
    if (workers !== undefined) await scheduleChores(chores, ports);
    working = true;
    await workers?.resume();
    await tick?.now();
  }

  async function rest(): Promise<void> {
    working = false;
    await workers?.pause();
  }

  return { begin, rest, limit: (concurrency) => workers?.limit(concurrency) };
}

function startWorkers(chores: ReturnType<typeof createChores>, { store, ports, keep }: RolesNeeds): Workers {
  const workers = createWorkers({
    connect: () => store.createConnection('wait'),
    prefix: store.queuePrefix,
    handlers: createHandlers(ports, chores, createErrands(ports)),
    command: commandHandler({ ...ports, parse: parseCommand }),
    concurrency: ports.configured().loaded.config.concurrency,
    changes: ports.changes,
    due: ports.due,
    clock: ports.clock,
    log: ports.log,
  });
  keep({ stop: () => workers.close(stopMs) });
  return workers;
}

function startScheduler(isWorking: () => boolean, { ports, queues, keep }: RolesNeeds): Tick {
  const { clock, log, random } = ports;
  const next: AgentPorts['due']['next'] = async (now, limit) =>
    isWorking() ? ports.due.next(now, limit) : [];
  const tick = startTick({ due: { ...ports.due, next }, clock, log, queues, random });
  keep(tick);
  return tick;
}
