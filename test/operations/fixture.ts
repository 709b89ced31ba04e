import { randomBytes } from 'node:crypto';
import { systemClock } from '../../src/clock.ts';
import { editRenewal } from '../../src/core/records.ts';
import { secret } from '../../src/core/secret.ts';
import type {
  Certificate,
  DueJob,
  Event,
  Instant,
  LineageId,
  RenewalState,
  Settings,
} from '../../src/core/types.ts';
import { parseCommand } from '../../src/operations/command.ts';
import type { Operation, OperationNeeds } from '../../src/operations/define.ts';
import { openStore, type Store } from '../../src/store/index.ts';
import { createMemoryLog } from '../support/memory.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

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
  readonly needs: OperationNeeds;
  readonly woken: readonly { readonly job: DueJob; readonly ids: readonly string[] }[];
  now: Instant;
  /** As a worker would: input parsed, then carried out. */
  run<Input, Output>(
    operation: Operation<Input, Output>,
    input: object,
    caller?: { readonly requestedBy?: string; readonly idempotencyKey?: string },
  ): Promise<Output>;
  /** Gives a lineage a (made-up) certificate that expires at `notAfter`. */
  hold(lineage: LineageId, notAfter: Instant, more?: Partial<Certificate>): Promise<Certificate>;
  remember(lineage: LineageId, state: Partial<RenewalState>): Promise<void>;
  events(type: Event['type']): Promise<readonly Event[]>;
  close(): Promise<void>;
}

/** One Redis a test file, one store in it a test. */
export interface Benches {
  open(): Promise<Bench>;
  stop(): Promise<void>;
}

export async function startBenches(): Promise<Benches> {
  const redis = await startRedis();
  const opened: Bench[] = [];
  return {
    open: async () => {
      const bench = await openBench(redis, opened.length);
      opened.push(bench);
      return bench;
    },
    stop: async () => {
      for (const bench of opened) await bench.close();
      await redis.stop();
    },
  };
}

async function openBench(redis: TestRedis, number: number): Promise<Bench> {
  const woken: { job: DueJob; ids: readonly string[] }[] = [];
  const clock = { ...systemClock, now: () => bench.now };
  const log = createMemoryLog();
  const jobs = { wake: async (job: DueJob, ids: readonly string[]) => void woken.push({ job, ids }) };
  const bench = { now: start } as { now: Instant };
  const store = await openStore({
    redis: { url: redis.url },
    prefix: `{bench${number}}`,
    masterKeys: [secret<Uint8Array>(randomBytes(32))],
    clock,
    log,
  });
  const needs: OperationNeeds = { ...store, jobs, clock, log, settings: () => settings };
  return Object.assign(bench, {
    needs,
    woken,
    run: async <Input, Output>(operation: Operation<Input, Output>, input: object, caller = {}) => {
      const parsed = parseCommand(operation.name, { v: 1, input, ...caller });
      return operation.run(parsed.input as Input, needs, parsed.caller);
    },
    hold: (lineage: LineageId, notAfter: Instant, more: Partial<Certificate> = {}) =>
      hold(store, { lineage, notAfter, more }),
    remember: (lineage: LineageId, state: Partial<RenewalState>) =>
      editRenewal(lineage, store, (before) => ({ putRenewals: [{ ...before, ...state }] })),
    events: async (type: Event['type']) =>
      (await store.events.recent(100)).filter((event) => event.type === type),
    close: () => store.close(),
  });
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
export async function holdFallback(bench: Bench, policy: string, notAfter: Instant): Promise<Certificate> {
  const { certificates, changes } = bench.needs;
  const own = await certificates.lineage(`${policy}/ec`);
  if (own === undefined) throw new Error(`no lineage for ${policy}`);
  const { unwantedSince: _, current: __, ...record } = own;
  await changes.commit({
    putLineages: [{ ...record, id: `${policy}/fallback`, source: 'self-signed', generations: [] }],
  });
  return bench.hold(`${policy}/fallback`, notAfter);
}
