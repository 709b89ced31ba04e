import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import { createBudget } from '../../src/acme/budget.ts';
import { systemClock } from '../../src/clock.ts';
import { AgentError } from '../../src/core/errors.ts';
import type { AccountChanges, AcmeAccountRecord, Ports } from '../../src/core/ports.ts';
import { editRenewal } from '../../src/core/records.ts';
import { secret } from '../../src/core/secret.ts';
import type {
  Certificate,
  Deployment,
  DueJob,
  Event,
  Instant,
  Issuance,
  LineageId,
  RenewalState,
  Settings,
} from '../../src/core/types.ts';
import { parseCommand } from '../../src/operations/command.ts';
import type { Caller, Operation, OperationNeeds } from '../../src/operations/define.ts';
import { openStore, type Store } from '../../src/store/index.ts';
import { generateKey } from '../../src/x509/key.ts';
import { createScriptedPreflight, type ScriptedPreflight } from '../core/scripted-preflight.ts';
import { createScriptedProber, type ScriptedProber } from '../core/scripted-prober.ts';
import { type AnyRedis, anyRedis } from '../support/any-redis.ts';
import { createMemoryLog } from '../support/memory.ts';
import { noDnsCare } from '../support/no-dns-care.ts';

export const day = 86_400_000;
export const start = Date.UTC(2026, 10, 20, 12);

export const settings: Settings = {
  issuers: ['letsencrypt', 'zerossl'],
  dnsAccounts: [
    { name: 'route53', zones: [], programmable: true },
    { name: 'byhand', zones: [], programmable: false },
  ],
  deployTargets: ['files', 'web'],
  notifiers: ['mail'],
  renewalCeilingMs: 30 * day,
  defaults: {
    mode: 'auto',
    issuers: ['letsencrypt'],
    keyTypes: ['p256'],
    deploy: ['files'],
    notify: ['mail'],
    contacts: [],
  },
};

/** Operations on a real store, with a clock that stands until it is set. */
export interface Bench {
  readonly needs: OperationNeeds & Pick<Ports, 'buckets'>;
  readonly woken: readonly { readonly job: DueJob; readonly ids: readonly string[] }[];
  now: Instant;
  /** What is other than usual. */
  settings: Partial<Settings>;
  readonly preflight: ScriptedPreflight;
  readonly prober: ScriptedProber;
  /** Certificates of CAs, by their address. */
  readonly published: Map<string, readonly Uint8Array[]>;
  /** As a worker would: input parsed, then carried out. */
  run<Input, Output>(operation: Operation<Input, Output>, input: object, caller?: Caller): Promise<Output>;
  /** Gives a lineage a (made-up) certificate that expires at `notAfter`. */
  hold(lineage: LineageId, notAfter: Instant, more?: Partial<Certificate>): Promise<Certificate>;
  /** What the target `files` was seen to show of a lineage, if anything. */
  seen(lineage: LineageId, certificate?: Certificate, more?: Partial<Deployment>): Promise<void>;
  remember(lineage: LineageId, state: Partial<RenewalState>): Promise<void>;
  events(type: Event['type']): Promise<readonly Event[]>;
  close(): Promise<void>;
}

/** That of the test that runs, in a file that called `useBench`. */
export let bench: Bench;

/** One Redis for the test file, and in it a store of its own for each test. */
export function useBench(): void {
  const opened: Bench[] = [];
  let redis: AnyRedis;
  beforeAll(async () => {
    redis = await anyRedis();
  });
  beforeEach(async () => {
    bench = await openBench(redis);
    opened.push(bench);
  });
  afterAll(async () => {
    for (const one of opened) await one.close();
    await redis?.stop();
  });
}

async function openBench(redis: AnyRedis): Promise<Bench> {
  const woken: { job: DueJob; ids: readonly string[] }[] = [];
  const clock = { ...systemClock, now: () => made.now };
  const log = createMemoryLog();
  const jobs = { wake: async (job: DueJob, ids: readonly string[]) => void woken.push({ job, ids }) };
  const published = new Map<string, readonly Uint8Array[]>();
  const made = {
    now: start,
    preflight: createScriptedPreflight(),
    prober: createScriptedProber(),
    published,
    settings: {},
  };
  const store = await openStore({
    redis: { url: redis.url },
    prefix: redis.prefix(),
    masterKeys: [secret<Uint8Array>(randomBytes(32))],
    clock,
    log,
  });
  const budget = createBudget([], { buckets: store.buckets, clock, log });
  const needs: Bench['needs'] = {
    ...store,
    budget,
    preflight: made.preflight,
    prober: made.prober,
    random: () => 0.5,
    accountChanges: changesOf(store),
    issuerCertificates: { fetch: async (url) => made.published.get(url) ?? [] },
    dnsCare: noDnsCare(),
    dnsProviders: () => [],
    jobs,
    clock,
    log,
    settings: () => ({ ...settings, ...made.settings }),
  };
  return Object.assign(made, {
    needs,
    woken,
    run: async <Input, Output>(operation: Operation<Input, Output>, input: object, caller: Caller = {}) => {
      const { isRepeat, ...sent } = caller;
      const parsed = parseCommand(operation.name, { v: 1, input, ...sent });
      return operation.run(parsed.input as Input, needs, { ...parsed.caller, isRepeat });
    },
    hold: (lineage: LineageId, notAfter: Instant, more: Partial<Certificate> = {}) =>
      hold(store, { lineage, notAfter, more }),
    seen: (lineage: LineageId, certificate?: Certificate, more: Partial<Deployment> = {}) =>
      store.changes.commit({ putDeployments: [{ ...deployment(lineage, certificate, made.now), ...more }] }),
    remember: (lineage: LineageId, state: Partial<RenewalState>) =>
      editRenewal(lineage, store, (before) => ({ putRenewals: [{ ...before, ...state }] })),
    events: async (type: Event['type']) =>
      (await store.events.recent(100)).filter((event) => event.type === type),
    close: () => store.close(),
  });
}

/** A CA that agrees to everything. */
function changesOf({ accounts }: Store): AccountChanges {
  const change = async (issuer: string, changed: Partial<AcmeAccountRecord>) => {
    const record = await accounts.get(issuer);
    if (record === undefined)
      throw new AgentError('command.conflict', `there is no account at ${issuer} yet`);
    await accounts.put({ ...record, ...changed });
    return { ...record, ...changed };
  };
  return {
    rollover: async (issuer) => change(issuer, { key: await generateKey('p256'), rolledAt: start }),
    deactivate: (issuer) => change(issuer, { deactivatedAt: start }),
  };
}

function deployment(lineage: LineageId, shown: Certificate | undefined, at: Instant): Deployment {
  const observed =
    shown === undefined ? undefined : { fingerprint: shown.fingerprint, source: shown.source, at };
  return { version: 0, target: 'files', lineage, failures: 0, observed };
}

async function hold(
  store: Store,
  { lineage: id, notAfter, more }: { lineage: LineageId; notAfter: Instant; more: Partial<Certificate> },
): Promise<Certificate> {
  const lineage = await store.certificates.lineage(id);
  if (lineage === undefined) throw new Error(`no lineage ${id}`);
  const certificate: Certificate = {
    lineage: id,
    generation: (lineage.generations.at(-1) ?? 0) + 1,
    source: lineage.source,
    names: lineage.wanted.names,
    issuer: lineage.source === 'acme' ? 'letsencrypt' : undefined,
    issuerName: lineage.source === 'acme' ? 'R11' : 'acme-agent fallback',
    keyType: 'p256',
    serial: randomBytes(8).toString('hex'),
    notBefore: notAfter - 90 * day,
    notAfter,
    fingerprint: randomBytes(32).toString('hex'),
    issuedAt: notAfter - 90 * day,
    wanted: lineage.wanted,
    ...more,
  };
  const privateKey = secret<Uint8Array>(randomBytes(138));
  await store.changes.commit({
    generation: { certificate, leafDer: randomBytes(300), chainDer: [], privateKey },
  });
  return certificate;
}

/** The stand-in that a deployment would have made for a policy. */
export async function holdFallback(policy: string, notAfter: Instant): Promise<Certificate> {
  const { certificates, changes } = bench.needs;
  const own = await certificates.lineage(`${policy}/ec`);
  if (own === undefined) throw new Error(`no lineage for ${policy}`);
  const { unwantedSince: _, current: __, ...record } = own;
  await changes.commit({
    putLineages: [{ ...record, id: `${policy}/fallback`, source: 'self-signed', generations: [] }],
  });
  return bench.hold(`${policy}/fallback`, notAfter);
}

/** An order that a worker began. */
export async function holdOrder(id: string, more: Partial<Issuance> = {}): Promise<void> {
  const lineage = await bench.needs.certificates.lineage(id);
  if (lineage === undefined) throw new Error(`no lineage ${id}`);
  const putIssuance: Issuance = {
    lineage: id,
    wanted: lineage.wanted,
    names: lineage.wanted.names,
    issuer: 'letsencrypt',
    privateKey: secret<Uint8Array>(Buffer.from('a key that is never shown to anybody')),
    csrDer: new Uint8Array(1),
    startedAt: start,
    presented: {},
    ...more,
  };
  await bench.needs.changes.commit({ putIssuance });
}
