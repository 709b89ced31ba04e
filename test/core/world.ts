import { randomBytes } from 'node:crypto';
import { createHandlers } from '../../jobs/index.ts';
import type { LimitedIssuer } from '../../src/acme/charges.ts';
import type { ChallengeTokens, Ports } from '../../src/core/ports.ts';
import { editRenewal } from '../../src/core/records.ts';
import { dueOfLineage } from '../../src/core/renewal/next-action.ts';
import { secret } from '../../src/core/secret.ts';
import type { ChallengeType, Domain, DueJob, Event, LineageId, Settings } from '../../src/core/types.ts';
import type { Again } from '../../src/core/wait.ts';
import { changeWishes } from '../../src/core/wishes/reconcile.ts';
import { openStore, type Store } from '../../src/store/index.ts';
import { type AnyRedis, anyRedis } from '../support/any-redis.ts';
import { createMemoryLog } from '../support/memory.ts';
import { createGate, type Gate } from './gate.ts';
import { createNeeds, type WorldNeeds } from './gated-ports.ts';
import { aDomain, aHost, settings, t0 } from './given.ts';
import { createLife } from './life.ts';
import { type CoreStore, createMemoryPorts } from './memory-ports.ts';
import { createMailbox, createTarget, createZone, type Mailbox, type Target, type Zone } from './outside.ts';
import { createScriptedCa, type ScriptedCa } from './scripted-ca.ts';
import { createScriptedPreflight, type ScriptedPreflight } from './scripted-preflight.ts';
import { createScriptedProber, type ScriptedProber } from './scripted-prober.ts';
import { createVirtualClock, type VirtualClock } from './virtual-clock.ts';

export const www = 'example.com/www.example.com/ec';

/** Our core on a store in memory; around it a clock, two CAs, a target, a zone and two notifiers, all scripted. */
export interface CheapWorld {
  readonly clock: VirtualClock;
  readonly gate: Gate;
  readonly store: CoreStore;
  readonly needs: WorldNeeds;
  readonly settings: { -readonly [K in keyof Settings]: Settings[K] };
  readonly first: ScriptedCa;
  readonly second: ScriptedCa;
  readonly preflight: ScriptedPreflight;
  readonly prober: ScriptedProber;
  readonly web: Target;
  readonly zone: Zone;
  /** Issuers with rate limits, in our ledger; a test adds them. */
  readonly limited: LimitedIssuer[];
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
  /** How long each job held its worker. */
  readonly held: readonly number[];
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

/** Our core on a real store. */
export interface World extends CheapWorld {
  readonly store: Store;
}

export type Connect = (
  parts: Pick<World, 'clock' | 'gate' | 'store' | 'first' | 'second'> & { readonly log: Ports['log'] },
) => Promise<Ports['acme']>;

export interface Worlds {
  /** `connect`: how the CAs are spoken to; by default in memory. */
  open(connect?: Connect): Promise<World>;
  stop(): Promise<void>;
}

/** One Redis for a file, one store in it a test. */
export async function startWorlds(): Promise<Worlds> {
  const redis = await anyRedis();
  const opened: World[] = [];
  return {
    open: async (connect) => {
      const world = await openWorld(redis, redis.prefix(), connect);
      opened.push(world);
      return world;
    },
    stop: async () => {
      await Promise.all(opened.map(({ store }) => store.close()));
      await redis.stop();
    },
  };
}

async function openWorld(redis: AnyRedis, prefix: string, connect?: Connect): Promise<World> {
  const base = createBase();
  const { clock, log } = base;
  const masterKeys = [secret<Uint8Array>(randomBytes(32))];
  const store = await openStore({ redis: { url: redis.url }, prefix, masterKeys, clock, log });
  const dropLocks = () => dropKeys(redis, `${prefix}:lock:*`);
  const tokensLeft = async () => (await keysOf(redis, `${prefix}:token:*`)).length;
  const cas = createCas(base, store);
  const acme = await connect?.({ ...base, ...cas, store });
  return { ...assemble({ ...base, ...cas, store, acme, dropLocks, tokensLeft }), store };
}

/** Hundreds of them cost little; nobody is told anything in it. */
export function openCheapWorld(): CheapWorld {
  const base = createBase();
  const store = createMemoryPorts(base.clock);
  const cas = createCas(base, store);
  const dropLocks = async () => store.dropLocks();
  return assemble({ ...base, ...cas, store, dropLocks, tokensLeft: async () => store.tokensLeft() });
}

interface Base {
  readonly clock: VirtualClock;
  readonly gate: Gate;
  readonly log: ReturnType<typeof createMemoryLog>;
}

function createBase(): Base {
  const clock = createVirtualClock(t0);
  return { clock, gate: createGate((error) => clock.kill(error)), log: createMemoryLog() };
}

function createCas({ clock, gate }: Base, { tokens }: Pick<CoreStore, 'tokens'>) {
  const zone = createZone(clock);
  const look = async (type: ChallengeType, token: string) =>
    type === 'dns-01' ? zone.records.get(token) : fetchToken(tokens, token);
  const first = createScriptedCa('first', { clock, look, track: gate.track });
  const second = createScriptedCa('second', { clock, look, track: gate.track });
  return { zone, first, second };
}

interface Parts extends Base, ReturnType<typeof createCas>, Pick<CheapWorld, 'tokensLeft'> {
  readonly store: CoreStore;
  readonly acme?: Ports['acme'] | undefined;
  readonly dropLocks: () => Promise<void>;
}

function assemble(parts: Parts): CheapWorld {
  const { clock, gate, log, store, zone, first, second, acme, dropLocks, tokensLeft } = parts;
  const preflight = createScriptedPreflight();
  const prober = createScriptedProber();
  const web = createTarget('web');
  const mail = createMailbox('mail', true, clock);
  const hook = createMailbox('hook', false, clock);
  const mutable = { ...settings, notifiers: ['mail', 'hook'] };
  const woken: { job: DueJob; id: string }[] = [];
  const limited: LimitedIssuer[] = [];
  const needs = createNeeds({
    clock,
    gate,
    store,
    zone,
    first,
    second,
    preflight,
    prober,
    web,
    mail,
    hook,
    log,
    woken,
    settings: mutable,
    limited,
    acme,
  });
  const handlers = createHandlers(needs, {});
  const life = createLife({ clock, gate, store, handlers, woken });
  return {
    ...{
      clock,
      gate,
      store,
      needs,
      settings: mutable,
      first,
      second,
      preflight,
      prober,
      web,
      zone,
      mail,
      hook,
      woken,
      limited,
    },
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
      await dropLocks();
      gate.revive();
    },
    events: async (type, lineage) =>
      (await store.events.recent(10_000))
        .filter((event) => event.type === type && (lineage ?? event.lineage) === event.lineage)
        .reverse(),
    tokensLeft,
  };
}

async function fetchToken(tokens: ChallengeTokens, token: string): Promise<string | undefined> {
  const answer = await tokens.get(token);
  tokens.announceFetched(token);
  return answer;
}

async function ask(
  { store, clock }: Pick<CheapWorld, 'store' | 'clock'>,
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

async function keysOf(redis: AnyRedis, pattern: string): Promise<readonly string[]> {
  return (await redis.cli('KEYS', pattern)) as readonly string[];
}

async function dropKeys(redis: AnyRedis, pattern: string): Promise<void> {
  const keys = await keysOf(redis, pattern);
  if (keys.length > 0) await redis.cli('DEL', ...keys);
}
