import { randomBytes } from 'node:crypto';
import type { Handler } from '../../jobs/define.ts';
import { createHandlers, type HandlerNeeds } from '../../jobs/index.ts';
import { createHttp01Solver } from '../../src/challenge/http01.ts';
import { AgentError } from '../../src/core/errors.ts';
import { dueOfLineage } from '../../src/core/next-action.ts';
import type { ChallengeTokens, Clock, Locks, Ports } from '../../src/core/ports.ts';
import { changeWishes, type ReconcileNeeds } from '../../src/core/reconcile.ts';
import { editRenewal } from '../../src/core/records.ts';
import { secret } from '../../src/core/secret.ts';
import type {
  ChallengeType,
  Domain,
  DueEntry,
  DueJob,
  Event,
  Instant,
  LineageId,
  Settings,
} from '../../src/core/types.ts';
import type { Again } from '../../src/core/wait.ts';
import { openStore, type Store } from '../../src/store/index.ts';
import { createPki } from '../../src/x509/index.ts';
import { createMemoryLog } from '../support/memory.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { createGate, type Gate } from './gate.ts';
import { aDomain, aHost, minute, settings, t0 } from './given.ts';
import { createMailbox, createTarget, createZone, type Mailbox, type Target, type Zone } from './outside.ts';
import { createScriptedCa, type ScriptedCa } from './scripted-ca.ts';
import { createVirtualClock, type VirtualClock } from './virtual-clock.ts';

const lookAgainMs = 20;

export const www = 'example.com/www.example.com/ec';

export type WorldNeeds = HandlerNeeds & ReconcileNeeds & Pick<Ports, 'due' | 'tokens'>;

/** Our core on a real store; around it a clock, two CAs, a target, a zone and two notifiers, all scripted. */
export interface World {
  readonly clock: VirtualClock;
  readonly gate: Gate;
  readonly store: Store;
  readonly needs: WorldNeeds;
  readonly settings: { -readonly [K in keyof Settings]: Settings[K] };
  readonly first: ScriptedCa;
  readonly second: ScriptedCa;
  readonly web: Target;
  readonly zone: Zone;
  /** For people, and for programs. */
  readonly mail: Mailbox;
  readonly hook: Mailbox;
  readonly log: readonly string[];
  readonly woken: readonly { readonly job: DueJob; readonly id: string }[];
  /** Puts a domain with these hosts. Default: individual, http-01, both issuers. */
  want(change?: Partial<Domain>, hosts?: readonly string[]): Promise<void>;
  /** A request as the commands write it. */
  ask(force: boolean, task?: string, lineage?: LineageId): Promise<void>;
  /** Lets time pass as far as `work` needs it. */
  run<T>(work: Promise<T>): Promise<T>;
  /** One job. */
  handle(job: DueJob, id: string): Promise<Again | undefined>;
  renew(lineage?: LineageId): Promise<Again | undefined>;
  /** All that is due or woken now; resolves with what was done. */
  work(): Promise<readonly string[]>;
  /** Lets time pass, and does what gets due in it. */
  live(ms: number): Promise<void>;
  /** Time alone passes. */
  pass(ms: number): Promise<void>;
  /** The killed process's locks run out and another process takes over. */
  takeOver(): Promise<void>;
  events(type: Event['type'], lineage?: LineageId): Promise<readonly Event[]>;
  /** http-01 answers in the store. */
  tokensLeft(): Promise<number>;
}

export interface Worlds {
  open(): Promise<World>;
  stop(): Promise<void>;
}

/** One Redis for a file, one store in it a test. */
export async function startWorlds(): Promise<Worlds> {
  const redis = await startRedis();
  const opened: World[] = [];
  return {
    open: async () => {
      const world = await openWorld(redis, `{world${opened.length}}`);
      opened.push(world);
      return world;
    },
    stop: async () => {
      await Promise.all(opened.map(({ store }) => store.close()));
      await redis.stop();
    },
  };
}

async function openWorld(redis: TestRedis, prefix: string): Promise<World> {
  const clock = createVirtualClock(t0);
  const gate = createGate((error) => clock.kill(error));
  const log = createMemoryLog();
  const masterKeys = [secret<Uint8Array>(randomBytes(32))];
  const store = await openStore({ redis: { url: redis.url }, prefix, masterKeys, clock, log });
  const zone = createZone(clock);
  const look = async (type: ChallengeType, token: string) =>
    type === 'dns-01' ? zone.records.get(token) : fetchToken(store.tokens, token);
  const first = createScriptedCa('first', { clock, look, track: gate.track });
  const second = createScriptedCa('second', { clock, look, track: gate.track });
  const web = createTarget('web');
  const mail = createMailbox('mail', true, clock);
  const hook = createMailbox('hook', false, clock);
  const mutable = { ...settings, notifiers: ['mail', 'hook'] };
  const woken: { job: DueJob; id: string }[] = [];
  const needs = createNeeds({
    clock,
    gate,
    store,
    zone,
    first,
    second,
    web,
    mail,
    hook,
    log,
    woken,
    mutable,
  });
  const handlers = createHandlers(needs, {});
  const life = createLife({ clock, gate, store, handlers, woken });
  return {
    ...{ clock, gate, store, needs, settings: mutable, first, second, web, zone, mail, hook, woken },
    log: log.lines,
    ...life,
    want: (change = {}, hosts = ['www.example.com']) => {
      const domain = aDomain({
        mode: 'individual',
        deploy: ['web'],
        notify: ['mail', 'hook'],
        contacts: ['admin@example.com'],
        ...change,
      });
      const edit = () => ({ domain, putHosts: hosts.map((name) => aHost(name, domain.name)) });
      return life.run(changeWishes(domain.name, edit, needs)).then(() => undefined);
    },
    ask: (force, task, lineage = www) => ask({ store, clock }, { force, task, lineage }),
    renew: (lineage = www) => life.handle('issue', lineage),
    takeOver: async () => {
      await gate.idle();
      await dropKeys(redis, `${prefix}:lock:*`);
      gate.revive();
    },
    events: async (type, lineage) =>
      (await store.events.recent(10_000))
        .filter((event) => event.type === type && (lineage ?? event.lineage) === event.lineage)
        .reverse(),
    tokensLeft: async () => (await keysOf(redis, `${prefix}:token:*`)).length,
  };
}

interface Parts
  extends Pick<World, 'clock' | 'gate' | 'store' | 'zone' | 'first' | 'second' | 'web' | 'mail'> {
  readonly hook: Mailbox;
  readonly log: Ports['log'];
  readonly woken: { job: DueJob; id: string }[];
  readonly mutable: Settings;
}

/** Every port goes through the gate; what is pure or only listens does not. */
function createNeeds(parts: Parts): WorldNeeds {
  const { clock, gate, store, zone, log, woken } = parts;
  const { certificates, issuances, renewals, deployments, tasks, due, issuerHealth, changes, events } = store;
  const plain = { certificates, issuances, renewals, deployments, tasks, due, issuerHealth, changes, events };
  const { wishes, buckets, outbox } = store;
  const gated = Object.fromEntries(
    Object.entries({ ...plain, wishes, buckets, outbox }).map(([name, port]) => [
      name,
      gate.wrap(name, port),
    ]),
  ) as typeof plain & Pick<Store, 'wishes' | 'buckets' | 'outbox'>;
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
  const web = gateSome('web', parts.web.deployer, gate, ['deploy', 'observe']);
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
    acme: gate.wrap('acme', {
      session: async (issuer: string) => {
        const session = sessions.get(issuer);
        if (session === undefined) throw new AgentError('order.issuer', `no issuer ${issuer}`);
        return session;
      },
    }),
    budget: gate.wrap('budget', { admit: async () => ({ admitted: true as const }) }),
    solvers: {
      get: (type) => {
        if (type === 'tls-alpn-01') throw new AgentError('bug', 'no solver');
        return solvers[type];
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
    settings: () => parts.mutable,
    random: () => 0.5,
  };
}

const sessionCalls = ['newOrder', 'order', 'authorization', 'respond', 'finalize', 'certificate'] as const;

/** Only these methods are calls; the others answer at once. */
function gateSome<T extends object>(name: string, port: T, gate: Gate, methods: readonly (keyof T)[]): T {
  const gated = gate.wrap(name, port);
  return new Proxy(port, {
    get: (target, key) => Reflect.get(methods.includes(key as keyof T) ? gated : target, key),
  });
}

/** A sleeper is not under way, and does not outlive its process. */
function gatedSleep(clock: VirtualClock, gate: Gate): Clock['sleep'] {
  const counted = gate.wrap('clock', { sleep: async () => undefined });
  return async (ms, signal) => {
    await counted.sleep();
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

async function fetchToken(tokens: ChallengeTokens, token: string): Promise<string | undefined> {
  const answer = await tokens.get(token);
  tokens.announceFetched(token);
  return answer;
}

async function ask(
  { store, clock }: Pick<World, 'store' | 'clock'>,
  { force, task, lineage: id }: { force: boolean; task: string | undefined; lineage: LineageId },
): Promise<void> {
  const lineage = await store.certificates.lineage(id);
  const certificate = await store.certificates.certificate(id);
  if (lineage === undefined) throw new Error(`no lineage ${id}`);
  await editRenewal(id, store, (before) => {
    const now = clock.now();
    const state = { ...before, requested: { at: now, force, task } };
    return { putRenewals: [state], due: dueOfLineage({ lineage, certificate, state, now }) };
  });
}

type Life = Pick<World, 'run' | 'handle' | 'work' | 'live' | 'pass'>;

function createLife(
  parts: Pick<World, 'clock' | 'gate' | 'store'> & {
    readonly handlers: Readonly<Record<DueJob, Handler>>;
    readonly woken: { job: DueJob; id: string }[];
  },
): Life {
  const { clock, gate, store, handlers, woken } = parts;

  async function run<T>(work: Promise<T>): Promise<T> {
    let isDone = false;
    const end = () => {
      isDone = true;
    };
    work.then(end, end);
    const limit = clock.trueNow() + 2 * 60 * minute;
    for (;;) {
      await gate.idle();
      if (isDone) return work;
      const at = clock.next();
      if (at === undefined || at > limit) throw new Error('the work waits for something that never comes');
      clock.moveTo(at);
    }
  }

  async function pass(ms: number): Promise<void> {
    const end = clock.trueNow() + ms;
    for (;;) {
      await gate.idle();
      const at = clock.next();
      if (at === undefined || at > end) break;
      clock.moveTo(at);
    }
    clock.moveTo(end);
    await gate.idle();
  }

  /** As the worker does it: the instant goes to the due index. */
  async function handle(job: DueJob, id: string): Promise<Again | undefined> {
    const again = await run(handlers[job](id, new AbortController().signal));
    if (again !== undefined) await store.changes.commit({ due: [{ job, id, at: again.again }] });
    return again;
  }

  async function work(): Promise<readonly string[]> {
    const done: string[] = [];
    let entries: readonly Pick<DueEntry, 'job' | 'id'>[] = await store.due.next(clock.now(), 1000);
    while (entries.length > 0 && done.length < 500) {
      woken.length = 0;
      for (const { job, id } of entries) {
        await handle(job, id);
        done.push(`${job} ${id}`);
      }
      entries = [...new Map(woken.map((one) => [`${one.job} ${one.id}`, one])).values()];
    }
    return done;
  }

  async function live(ms: number): Promise<void> {
    const end = clock.now() + ms;
    for (;;) {
      await work();
      const [earliest] = await store.due.next(Number.MAX_SAFE_INTEGER, 1);
      if (earliest === undefined || earliest.at > end) break;
      // What is due again at once comes with the next tick.
      const at: Instant = earliest.at > clock.now() ? earliest.at : clock.now() + minute;
      if (at > end) break;
      await pass(at - clock.now());
    }
    if (end > clock.now()) await pass(end - clock.now());
  }

  return { run, pass, handle, work, live };
}

async function keysOf(redis: TestRedis, pattern: string): Promise<readonly string[]> {
  return (await redis.cli('KEYS', pattern)) as readonly string[];
}

async function dropKeys(redis: TestRedis, pattern: string): Promise<void> {
  const keys = await keysOf(redis, pattern);
  if (keys.length > 0) await redis.cli('DEL', ...keys);
}
