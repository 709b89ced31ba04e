import { createQueues } from '../../jobs/queue.ts';
import { systemClock } from '../clock.ts';
import type { LoadedConfig } from '../config/config.ts';
import { readEnvironment } from '../config/load.ts';
import { adoptDeployed } from '../core/deploy/adopt.ts';
import type { Clock, Log } from '../core/ports.ts';
import { dueIndexChore } from '../core/renewal/due-index.ts';
import { inTime } from '../core/wait.ts';
import { adoptFile } from '../core/wishes/file-wishes.ts';
import { tryPort } from '../edge/listen.ts';
import { createMetricsListener, type MetricsListener, metricsPurpose } from '../edge/metrics.ts';
import { port80Purpose } from '../edge/port80.ts';
import { tlsAlpnPurpose } from '../edge/tls-alpn.ts';
import { createLog } from '../log.ts';
import { createMetrics } from '../metrics.ts';
import { nameAgent } from './agent-id.ts';
import { createAgreement } from './agreement.ts';
import { placeOf } from './check-listeners.ts';
import { contactsChore } from './chores.ts';
import { prepareDataDir, tryDataDir } from './data-dir.ts';
import { addGauges } from './gauges.ts';
import { isEmbedded, type OpenNeeds, openOwnStore, tryOwnStore } from './open.ts';
import { type AgentPorts, createPorts } from './ports.ts';
import { createReload } from './reload.ts';
import { startRoles } from './roles.ts';
import { watchStore } from './store-watch.ts';
import { version } from './version.ts';

export interface StartOptions {
  /** Default: those of the configuration. */
  readonly roles?: readonly string[] | undefined;
  readonly acceptEmptyStore?: boolean | undefined;
}

export interface RunningAgent {
  /**
   * Takes the configuration that `load` reads; data directory, keys, Redis, listeners and roles stay as they are until the
   * next start. Never rejects: what is wrong is logged, and the old one stays.
   */
  reload(load: () => Promise<LoadedConfig>): Promise<void>;
  /** Ends what runs within a deadline, the embedded Redis last. */
  stop(): Promise<void>;
}

interface Part {
  stop(): Promise<unknown>;
}

/** A little more than the workers take for the jobs under way. */
const partMs = 18_000;

/** Starts the roles of one agent. Rejects with an AgentError that names the remedy, and then leaves nothing running. */
export async function startAgent(loaded: LoadedConfig, options: StartOptions = {}): Promise<RunningAgent> {
  const clock = systemClock;
  const log = createLog({ level: loaded.config.log.level });
  const environment = readEnvironment();
  const { dataDir, redis, roles: configuredRoles } = loaded.config;
  const roles = options.roles ?? configuredRoles;
  await preflight(loaded, roles, { ...options, environment, clock, log });
  await prepareDataDir(dataDir);
  const { store, stop: close } = await openOwnStore(loaded, { ...options, environment, clock, log });
  const parts: Part[] = [{ stop: close }];
  const keep = (part: Part) => void parts.push(part);
  const stop = () => stopAll(parts, { clock, log });
  try {
    const connect = () => store.createConnection('fail');
    const queues = createQueues({ connect, prefix: store.queuePrefix, log });
    keep({ stop: () => queues.close() });
    const metrics = createMetrics({ clock, log });
    const ports = await createPorts(loaded, { store, jobs: queues, environment, metrics, clock, log });
    keep({ stop: () => ports.close() });
    addGauges(metrics, { ...ports, queues });
    const readings = await listenForReaders(loaded, { text: metrics.text, log });
    if (readings !== undefined) keep({ stop: () => readings.close() });
    const { ping, address } = store;
    keep(watchStore({ ping, address, notifiers: () => ports.notifiers, clock, log }));
    const work = await startRoles({ roles, store, queues, ports, keep });
    // Nobody else can be on a store that this process owns.
    const agentId = isEmbedded(redis) ? 'owner' : await nameAgent(dataDir);
    const announce = (hash: string) => store.agreeOnConfig(agentId, hash);
    const agreement = createAgreement({ announce, adopt: adopter(ports, options), work, clock, log });
    keep(agreement);
    await agreement.enter(loaded);
    log.info({ version, roles, redis: address, durable: store.durableMode }, 'agent started');
    return { reload: createReload(loaded, { ports, agreement, work, log }), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** What can be seen to fail does so here, while nothing is made and nothing runs; it is thrown, so it needs no log line. */
async function preflight(loaded: LoadedConfig, roles: readonly string[], needs: OpenNeeds): Promise<void> {
  const { config } = loaded;
  await tryDataDir(config.dataDir);
  await tryOwnStore(loaded, { ...needs, log: createLog({ level: 'error' }) });
  if (config.metrics !== undefined) await tryPort(placeOf(config.metrics), metricsPurpose);
  if (!roles.includes('edge')) return;
  await tryPort(config.http01, port80Purpose);
  if (config.tlsAlpn01 !== undefined) await tryPort(config.tlsAlpn01, tlsAlpnPurpose);
}

/** Where the file wants it. */
async function listenForReaders(
  { config: { metrics: endpoint } }: LoadedConfig,
  needs: Parameters<typeof createMetricsListener>[1],
): Promise<MetricsListener | undefined> {
  if (endpoint === undefined) return undefined;
  const listener = createMetricsListener(placeOf(endpoint), needs);
  await listener.listen();
  return listener;
}

/** In a store that begins anew the targets are read once, before anything works: what they still have is not ordered. */
function adopter(ports: AgentPorts, { acceptEmptyStore }: StartOptions) {
  let isNew = acceptEmptyStore === true;
  return async ({ domains }: LoadedConfig, signal: AbortSignal) => {
    await adoptFile(domains, ports);
    // What else follows from the file, such as a target with another path.
    await ports.jobs.wake('upkeep', [dueIndexChore, contactsChore]);
    if (isNew) await adoptDeployed(ports, signal);
    isNew = false;
  };
}

/**
 * In the reverse order of their start: nothing that is still used is closed. A part that hangs, as one that waits for a
 * Redis that is away, is left behind after its time.
 */
async function stopAll(parts: Part[], { clock, log }: { clock: Clock; log: Log }): Promise<void> {
  const late = () => new Error(`stopping a part took longer than ${partMs / 1000} s`);
  for (const part of parts.splice(0).reverse()) {
    await inTime({ clock, ms: partMs, late }, () => part.stop()).catch((err: unknown) =>
      log.warn({ err }, 'a part did not stop in order'),
    );
  }
  log.info({}, 'agent stopped');
}
