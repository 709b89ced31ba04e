import type { HandlerNeeds } from '../../jobs/index.ts';
import { createBudget } from '../../src/acme/budget.ts';
import type { LimitedIssuer } from '../../src/acme/charges.ts';
import { createHttp01Solver } from '../../src/challenge/http01.ts';
import { AgentError } from '../../src/core/errors.ts';
import type { Clock, Locks, Ports, RevocationRequest } from '../../src/core/ports.ts';
import type { DueJob, Settings } from '../../src/core/types.ts';
import type { ReconcileNeeds } from '../../src/core/wishes/reconcile.ts';
import { createPki } from '../../src/x509/index.ts';
import type { Gate } from './gate.ts';
import type { CoreStore } from './memory-ports.ts';
import type { Mailbox, Target, Zone } from './outside.ts';
import type { ScriptedCa } from './scripted-ca.ts';
import type { ScriptedPreflight } from './scripted-preflight.ts';
import type { ScriptedProber } from './scripted-prober.ts';
import type { VirtualClock } from './virtual-clock.ts';

const lookAgainMs = 20;

export type WorldNeeds = HandlerNeeds & ReconcileNeeds & Pick<Ports, 'due' | 'tokens'>;

export interface WorldParts {
  readonly clock: VirtualClock;
  readonly gate: Gate;
  readonly store: CoreStore;
  readonly zone: Zone;
  readonly first: ScriptedCa;
  readonly second: ScriptedCa;
  readonly preflight: ScriptedPreflight;
  readonly prober: ScriptedProber;
  readonly web: Target;
  readonly mail: Mailbox;
  readonly hook: Mailbox;
  readonly log: Ports['log'];
  readonly woken: { job: DueJob; id: string }[];
  readonly settings: Settings;
  /** In place of the scripted sessions. */
  readonly acme?: Ports['acme'] | undefined;
  /** Issuers with rate limits; the others have none. */
  readonly limited: readonly LimitedIssuer[];
}

/** Every port goes through the gate; what is pure or only listens does not. */
export function createNeeds(parts: WorldParts): WorldNeeds {
  const { clock, gate, store, zone, log, woken } = parts;
  const { certificates, issuances, renewals, deployments, tasks, due, issuerHealth, changes, events } = store;
  const { wishes, bindings, buckets, outbox } = store;
  const plain = { certificates, issuances, renewals, deployments, tasks, due, issuerHealth, changes, events };
  const gated = Object.fromEntries(
    Object.entries({ ...plain, wishes, bindings, buckets, outbox }).map(([name, port]) => [
      name,
      gate.wrap(name, port),
    ]),
  ) as typeof plain & Pick<CoreStore, 'wishes' | 'bindings' | 'buckets' | 'outbox'>;
  const tokens = gateSome('tokens', store.tokens, gate, ['put', 'get', 'remove']);
  const ownClock: Clock = { now: clock.now, after: clock.after, sleep: gatedSleep(clock, gate) };
  const http01 = createHttp01Solver({ tokens, clock: ownClock });
  const cas = { first: parts.first, second: parts.second };
  const sessions = new Map(
    Object.entries(cas).map(([name, { session }]) => [name, gateSome(name, session, gate, sessionCalls)]),
  );
  const notifiers = [parts.mail, parts.hook].map(({ notifier }) =>
    gateSome(notifier.name, notifier, gate, ['send']),
  );
  const web = gateSome('web', parts.web.deployer, gate, ['deploy', 'observe', 'remove']);
  const solvers = {
    'http-01': gateSome('http-01', http01, gate, ['present', 'ready', 'cleanUp']),
    'dns-01': gateSome('dns-01', zone.solver, gate, ['present', 'ready', 'cleanUp']),
  };
  const wake = async (job: DueJob, ids: readonly string[]) =>
    void woken.push(...ids.map((id) => ({ job, id })));
  return {
    ...gated,
    tokens,
    locks: gatedLocks(store.locks, gate, clock),
    clock: ownClock,
    log,
    pki: gateSome('pki', createPki(), gate, ['generateKey']),
    acme: parts.acme ?? {
      hasSession: () => false,
      ...gate.wrap('acme', {
        session: async (issuer: string) => {
          const session = sessions.get(issuer);
          if (session === undefined) throw new AgentError('order.issuer', `no issuer ${issuer}`);
          return session;
        },
        renewalInfo: async (issuer: string, certId: string) =>
          cas[issuer === 'first' ? 'first' : 'second'].renewalInfo(certId),
        revoke: async (issuer: string, request: RevocationRequest) =>
          cas[issuer === 'first' ? 'first' : 'second'].revoke(request),
      }),
    },
    budget: gate.wrap(
      'budget',
      createBudget(parts.limited, { buckets: store.buckets, clock: ownClock, log }),
    ),
    preflight: gate.wrap('preflight', parts.preflight),
    prober: gate.wrap('prober', parts.prober),
    solvers: {
      get: (type) => {
        if (type === 'http-01' || type === 'dns-01') return solvers[type];
        throw new AgentError('bug', 'no solver');
      },
    },
    deployers: {
      get: (name) => {
        if (name !== 'web') throw new AgentError('deploy.target', `no target ${name}`);
        return web;
      },
    },
    notifiers: { get: (name) => notifiers.find((one) => one.name === name), all: () => notifiers },
    jobs: gate.wrap('jobs', { wake }),
    settings: () => parts.settings,
    random: () => 0.5,
  };
}

export const sessionCalls = [
  'newOrder',
  'order',
  'authorization',
  'respond',
  'finalize',
  'certificate',
] as const;

/** Only these methods are calls; the others answer at once. */
export function gateSome<T extends object>(
  name: string,
  port: T,
  gate: Gate,
  methods: readonly (keyof T)[],
): T {
  const gated = gate.wrap(name, port);
  return new Proxy(port, {
    get: (target, key) => Reflect.get(methods.includes(key as keyof T) ? gated : target, key),
  });
}

/** A sleeper is not under way, and does not outlive its process. */
function gatedSleep(clock: VirtualClock, gate: Gate): Clock['sleep'] {
  const counted = gate.wrap('clock', { sleep: async (_ms: number) => undefined });
  return async (ms, signal) => {
    await counted.sleep(ms);
    await clock.sleep(ms, signal);
  };
}

/** Whoever waits for a lock looks again in virtual time, so that the holder can go on. */
function gatedLocks(locks: Locks, gate: Gate, clock: Clock): Locks {
  const counted = gate.wrap('locks', { tryAcquire: locks.tryAcquire });
  const tryAcquire: Locks['tryAcquire'] = async (name, ttlMs) => {
    const lock = await counted.tryAcquire(name, ttlMs);
    return lock === undefined ? undefined : gateSome('lock', lock, gate, ['release']);
  };
  return {
    tryAcquire,
    acquire: async (name, ttlMs, signal) => {
      for (;;) {
        const lock = await tryAcquire(name, ttlMs);
        if (lock !== undefined) return lock;
        await clock.sleep(lookAgainMs, signal);
      }
    },
  };
}
