import { AgentError } from '../../src/core/errors.ts';
import type { Change, Clock, Lock, Ports } from '../../src/core/ports.ts';
import { freshRenewal } from '../../src/core/records.ts';
import { patience } from '../../src/core/renewal/failover.ts';
import type {
  Binding,
  Bundle,
  Deployment,
  Domain,
  DueEntry,
  Event,
  Group,
  Host,
  Issuance,
  Lineage,
  RenewalState,
  Task,
} from '../../src/core/types.ts';
import { createMemoryStore } from '../support/memory.ts';

/** What the core needs of a store. */
export type CoreStore = Pick<
  Ports,
  | 'wishes'
  | 'certificates'
  | 'bindings'
  | 'issuances'
  | 'renewals'
  | 'deployments'
  | 'tasks'
  | 'due'
  | 'issuerHealth'
  | 'changes'
  | 'locks'
  | 'buckets'
  | 'tokens'
  | 'events'
  | 'outbox'
>;

export interface MemoryPorts extends CoreStore {
  /** Those of a killed process run out. */
  dropLocks(): void;
  tokensLeft(): number;
}

interface Records {
  readonly domains: Map<string, Domain>;
  readonly hosts: Map<string, Host>;
  readonly groups: Map<string, Group>;
  readonly lineages: Map<string, Lineage>;
  /** By lineage, then by generation. */
  readonly bundles: Map<string, Map<number, Bundle>>;
  readonly bindings: Map<string, Binding>;
  readonly renewals: Map<string, RenewalState>;
  readonly issuances: Map<string, Issuance>;
  readonly deployments: Map<string, Deployment>;
  readonly tasks: Map<string, Task>;
  readonly faults: Map<string, number>;
  readonly breakers: Map<string, number>;
  /** By `job:id`. */
  readonly due: Map<string, DueEntry>;
  readonly events: Event[];
  /** Number of the holder, by name. */
  readonly locks: Map<string, number>;
}

/**
 * A store in memory, with the rules of one write that the core lives by: versions, fences, generations, due entries.
 * For properties that run hundreds of histories; the same histories run on the real store too, some of them.
 */
export function createMemoryPorts(clock: Clock): MemoryPorts {
  const records: Records = {
    ...{ domains: new Map(), hosts: new Map(), groups: new Map(), lineages: new Map(), bundles: new Map() },
    bindings: new Map(),
    ...{ renewals: new Map(), issuances: new Map(), deployments: new Map(), tasks: new Map() },
    ...{ faults: new Map(), breakers: new Map(), due: new Map(), events: [], locks: new Map() },
  };
  const tokens = new Map<string, string>();
  return {
    ...held(records),
    ...work(records, clock),
    locks: locksOf(records),
    buckets: createMemoryStore().buckets,
    tokens: {
      put: async (token, answer) => void tokens.set(token, answer),
      get: async (token) => tokens.get(token),
      remove: async (token) => void tokens.delete(token),
      announceFetched: () => {},
      onFetched: () => () => {},
      trial: () => ({ token: 'trial', keyAuthorization: 'trial' }),
    },
    changes: { commit: async (change) => commit(change, records, clock) },
    dropLocks: () => records.locks.clear(),
    tokensLeft: () => tokens.size,
  };
}

function held(records: Records): Pick<CoreStore, 'wishes' | 'certificates' | 'bindings'> {
  const { domains, hosts, groups, lineages, bundles, bindings } = records;
  const bundle = (id: string, generation = lineages.get(id)?.current) =>
    generation === undefined ? undefined : bundles.get(id)?.get(generation);
  return {
    wishes: {
      domain: async (name) => domains.get(name),
      domains: async () => [...domains.values()],
      domainOf: async (name) =>
        [...domains.values()].find((one) => name === one.name || name.endsWith(`.${one.name}`)),
      host: async (name) => hosts.get(name),
      hosts: async (domain) => [...hosts.values()].filter((host) => host.domain === domain),
      groups: async (domain) => [...groups.values()].filter((group) => group.domain === domain),
    },
    certificates: {
      lineage: async (id) => lineages.get(id),
      lineages: async (domain) =>
        [...lineages.values()].filter((lineage) => domain === undefined || lineage.domain === domain),
      uploads: async (domain) =>
        [...lineages.values()].filter((one) => one.domain === domain && one.source === 'upload'),
      certificate: async (id, generation) => bundle(id, generation)?.certificate,
      currents: async (ids) => ids.map((id) => bundle(id)?.certificate),
      bundle: async (id, generation) => bundle(id, generation),
    },
    bindings: {
      get: async (name) => bindings.get(name),
      among: async (names) => names.flatMap((name) => bindings.get(name) ?? []),
      all: async () => [...bindings.values()],
      of: async (lineage) => [...bindings.values()].filter(({ lineages: ids }) => ids.includes(lineage)),
    },
  };
}

function work(
  { issuances, renewals, deployments, tasks, due, faults, breakers, events }: Records,
  clock: Clock,
): Pick<
  CoreStore,
  'issuances' | 'renewals' | 'deployments' | 'tasks' | 'due' | 'issuerHealth' | 'events' | 'outbox'
> {
  const renewal = (id: string) => renewals.get(id) ?? freshRenewal(id);
  return {
    issuances: { get: async (id) => issuances.get(id), all: async () => [...issuances.keys()] },
    renewals: { get: async (id) => renewal(id), many: async (ids) => ids.map(renewal) },
    deployments: {
      get: async (target, lineage) => deployments.get(`${target}|${lineage}`),
      of: async (lineage) => [...deployments.values()].filter((one) => one.lineage === lineage),
      leaving: async () => [...deployments.values()].filter(({ leaving }) => leaving !== undefined),
    },
    tasks: {
      get: async (id) => tasks.get(id),
      list: async (limit) => [...tasks.values()].slice(-limit).reverse(),
      settle: async (id, item) => {
        const task = tasks.get(id);
        if (task !== undefined) tasks.set(id, settled(task, item, clock.now()));
      },
    },
    due: {
      next: async (now, limit) =>
        [...due.values()]
          .filter(({ at }) => at <= now)
          .sort((a, b) => a.at - b.at)
          .slice(0, limit),
      at: async (job, id) => due.get(`${job}:${id}`)?.at,
    },
    issuerHealth: {
      openedAt: async (issuers) => issuers.map((issuer) => breakers.get(issuer)),
      fault: async (issuer) => {
        const count = (faults.get(issuer) ?? 0) + 1;
        faults.set(issuer, count);
        if (count >= patience && !breakers.has(issuer)) breakers.set(issuer, clock.now());
        return count;
      },
    },
    // Nobody reads them here but the test: what people are told is not what these histories are about.
    events: {
      read: async () => [],
      ack: async () => {},
      recent: async (count) => events.slice(-count).reverse(),
    },
    outbox: {
      add: async () => {},
      list: async () => [],
      remove: async () => {},
      lastSentAt: async () => undefined,
      setLastSentAt: async () => {},
      trouble: async () => undefined,
      setTrouble: async () => {},
    },
  };
}

function settled(task: Task, item: Task['items'][number], now: number): Task {
  const items = task.items.map((one) => (one.id === item.id ? item : one));
  if (task.state !== 'running' || items.some(({ state }) => state === 'waiting')) return { ...task, items };
  const state = items.some((one) => one.state === 'failed') ? 'failed' : 'done';
  return { ...task, items, state, finishedAt: now };
}

function locksOf({ locks }: Records): Ports['locks'] {
  let last = 0;
  const tryAcquire = async (lock: string): Promise<Lock | undefined> => {
    if (locks.has(lock)) return undefined;
    const number = ++last;
    locks.set(lock, number);
    const release = async () => void (locks.get(lock) === number && locks.delete(lock));
    return { lock, number, signal: new AbortController().signal, release };
  };
  const acquire = async (): Promise<Lock> => {
    throw new Error('whoever waits for a lock tries again in virtual time');
  };
  return { tryAcquire, acquire };
}

function commit(change: Change, records: Records, clock: Clock): void {
  check(change, records);
  writeWishes(change, records);
  writeHeld(change, records);
  for (const { job, id, at } of change.due ?? [])
    if (at === undefined) records.due.delete(`${job}:${id}`);
    else records.due.set(`${job}:${id}`, { job, id, at });
  for (const event of change.events ?? [])
    records.events.push({ ...event, id: `${records.events.length}`, at: clock.now() });
}

function check({ fence, putRenewals = [], putDeployments = [], generation }: Change, records: Records): void {
  if (fence !== undefined && records.locks.get(fence.lock) !== fence.number)
    throw new AgentError('store.fenced', `the lock ${fence.lock} is held by another worker`);
  const { lineage = '', generation: number = 0 } = generation?.certificate ?? {};
  const isStale =
    putRenewals.some((one) => (records.renewals.get(one.lineage)?.version ?? 0) !== one.version) ||
    putDeployments.some(
      (one) => (records.deployments.get(`${one.target}|${one.lineage}`)?.version ?? 0) !== one.version,
    ) ||
    (generation !== undefined && (records.lineages.get(lineage)?.generations.at(-1) ?? 0) >= number);
  if (isStale) throw new AgentError('store.conflict', 'another writer changed the record in between');
}

function writeWishes(change: Change, { domains, hosts, groups }: Records): void {
  for (const name of change.removeDomains ?? []) domains.delete(name);
  for (const domain of change.putDomains ?? []) domains.set(domain.name, domain);
  for (const { name } of change.removeHosts ?? []) hosts.delete(name);
  for (const host of change.putHosts ?? []) hosts.set(host.name, host);
  for (const { domain, label } of change.removeGroups ?? []) groups.delete(`${domain}/${label}`);
  for (const group of change.putGroups ?? []) groups.set(`${group.domain}/${group.label}`, group);
}

function writeHeld(change: Change, records: Records): void {
  const { lineages, renewals, issuances, deployments, tasks, faults, breakers } = records;
  for (const lineage of change.putLineages ?? []) {
    const { current, generations = [] } = lineages.get(lineage.id) ?? {};
    lineages.set(lineage.id, { ...lineage, current, generations });
  }
  if (change.generation !== undefined) addGeneration(change.generation, records);
  for (const { name } of change.removeBindings ?? []) records.bindings.delete(name);
  for (const binding of change.putBindings ?? []) records.bindings.set(binding.name, binding);
  for (const state of change.putRenewals ?? [])
    renewals.set(state.lineage, { ...state, version: state.version + 1 });
  if (change.putIssuance !== undefined) issuances.set(change.putIssuance.lineage, change.putIssuance);
  if (change.dropIssuance !== undefined) issuances.delete(change.dropIssuance);
  if (change.wellIssuer !== undefined) {
    faults.delete(change.wellIssuer);
    breakers.delete(change.wellIssuer);
  }
  for (const one of change.putDeployments ?? [])
    deployments.set(`${one.target}|${one.lineage}`, { ...one, version: one.version + 1 });
  for (const one of change.removeDeployments ?? []) deployments.delete(`${one.target}|${one.lineage}`);
  for (const task of change.putTasks ?? []) tasks.set(task.id, task);
}

function addGeneration(bundle: Bundle, { lineages, bundles }: Records): void {
  const { lineage: id, generation } = bundle.certificate;
  const lineage = lineages.get(id);
  if (lineage === undefined) throw new Error(`no lineage ${id}`);
  const generations = [...lineage.generations, generation].slice(-3);
  lineages.set(id, { ...lineage, generations, current: generation });
  const kept = [...(bundles.get(id) ?? new Map<number, Bundle>()), [generation, bundle] as const];
  bundles.set(id, new Map(kept.filter(([number]) => generations.includes(number))));
}
