import type { LoadedConfig } from '../config/config.ts';
import { describeProvider } from '../config/describe.ts';
import type { Environment } from '../config/load.ts';
import { fanOutId } from '../core/notice/notify.ts';
import type { Change, Clock, Jobs, Log, Metrics, Ports } from '../core/ports.ts';
import type { DnsProviderFacts } from '../core/provider-facts.ts';
import type { Settings } from '../core/types.ts';
import type { Store } from '../store/index.ts';
import { createPki } from '../x509/index.ts';
import { pluginStateOf } from './care.ts';
import { type Configured, configure } from './configured.ts';

/** All ports of a running agent. What follows from the configuration is looked up at each use, so that a reload takes effect. */
export interface AgentPorts extends Ports {
  readonly settings: () => Settings;
  readonly dnsProviders: () => readonly DnsProviderFacts[];
  readonly random: () => number;
  readonly configured: () => Configured;
  /** What follows from a new configuration; `use` takes it, or close it. */
  prepare(loaded: LoadedConfig): Promise<Configured>;
  /** For all that begins from now on; what is under way ends with the old one. */
  use(next: Configured): void;
  close(): Promise<void>;
}

export interface PortsNeeds {
  readonly store: Store;
  readonly jobs: Jobs;
  readonly environment: Environment;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly log: Log;
}

/** Notices leave this soon after their event, many events in one go. */
const fanOutMs = 250;
/** No job holds on to a session, a solver or a target for longer. */
const retireMs = 15 * 60_000;

export async function createPorts(loaded: LoadedConfig, needs: PortsNeeds): Promise<AgentPorts> {
  const { store, jobs, environment, metrics, clock, log } = needs;
  const pluginState = pluginStateOf(store);
  const prepare = (from: LoadedConfig) =>
    configure(from, { ...store, environment, pluginState, metrics, clock, log });
  let configured = await prepare(loaded);
  const retired = new Set<Configured>();
  const fanOut = createFanOut(jobs, { clock, log });

  async function commit(change: Change): Promise<void> {
    const { events = [] } = change;
    await store.changes.commit(change);
    for (const { type } of events) metrics.count('events_total', { type });
    if (events.length > 0) fanOut.soon();
  }

  function use(next: Configured): void {
    const before = configured;
    configured = next;
    retired.add(before);
    clock.after(retireMs, () => {
      if (retired.delete(before))
        before.close().catch((err: unknown) => log.warn({ err }, 'the old configuration did not close'));
    });
  }

  return {
    ...store,
    changes: { commit },
    jobs,
    metrics,
    clock,
    log,
    pki: createPki(),
    random: Math.random,
    budget: {
      admit: (intent) => configured.budget.admit(intent),
      giveBack: (spent) => configured.budget.giveBack(spent),
      spendAgain: (spent) => configured.budget.spendAgain(spent),
      validationFailed: (issuer, names) => configured.budget.validationFailed(issuer, names),
      learn: (intent, error) => configured.budget.learn(intent, error),
      endHolds: (issuer, names) => configured.budget.endHolds(issuer, names),
      hold: (issuer, isUnderWay) => configured.budget.hold(issuer, isUnderWay),
      levels: (issuer, orders) => configured.budget.levels(issuer, orders),
      foresee: (intents) => configured.budget.foresee(intents),
    },
    settings: () => configured.loaded.settings,
    dnsProviders: () => [...configured.loaded.definitions.dns.values()].map(describeProvider),
    acme: {
      session: (issuer, signal) => configured.acme.session(issuer, signal),
      hasSession: (issuer) => configured.acme.hasSession(issuer),
      renewalInfo: (issuer, certId, signal) => configured.acme.renewalInfo(issuer, certId, signal),
      revoke: (issuer, request, signal) => configured.acme.revoke(issuer, request, signal),
    },
    accountChanges: {
      rollover: (issuer, signal) => configured.acme.rollover(issuer, signal),
      deactivate: (issuer, signal) => configured.acme.deactivate(issuer, signal),
    },
    hostPermission: { ask: (name, signal) => configured.hostPermission.ask(name, signal) },
    issuerCertificates: { fetch: (url, signal) => configured.issuerCertificates.fetch(url, signal) },
    dnsCare: {
      leftovers: (search, signal) => configured.dns.care.leftovers(search, signal),
      discard: (leftovers, signal) => configured.dns.care.discard(leftovers, signal),
      examine: (question, signal) => configured.dns.care.examine(question, signal),
      beginTrial: (trial, signal) => configured.dns.care.beginTrial(trial, signal),
      seeTrial: (key, signal) => configured.dns.care.seeTrial(key, signal),
      endTrial: (key, signal) => configured.dns.care.endTrial(key, signal),
    },
    preflight: { look: (question, signal) => configured.preflight.look(question, signal) },
    prober: { look: (question, signal) => configured.prober.look(question, signal) },
    solvers: { get: (type) => configured.solvers.get(type) },
    deployers: { get: (name) => configured.deployers.get(name) },
    notifiers: { get: (name) => configured.notifiers.get(name), all: () => configured.notifiers.all() },
    configured: () => configured,
    prepare,
    use,
    close: async () => {
      fanOut.stop();
      await Promise.all([configured, ...retired].map((one) => one.close()));
    },
  };
}

/** Wakes the notices once for all events of a moment; the due index brings back what gets lost here. */
function createFanOut(jobs: Jobs, { clock, log }: { clock: Clock; log: Log }) {
  let cancel: (() => void) | undefined;
  const wake = () => {
    cancel = undefined;
    jobs
      .wake('notify', [fanOutId])
      .catch((err: unknown) => log.warn({ err }, 'notices wait for the next tick'));
  };
  return {
    soon: () => {
      cancel ??= clock.after(fanOutMs, wake);
    },
    stop: () => cancel?.(),
  };
}
