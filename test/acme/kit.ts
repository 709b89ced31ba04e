import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAcme, type IssuerConfig } from '../../src/acme/index.ts';
import { systemClock } from '../../src/clock.ts';
import type {
  Accounts,
  AcmeAccountRecord,
  AcmeOrder,
  AcmeSession,
  CertificateFacts,
  Clock,
  Locks,
  Log,
} from '../../src/core/ports.ts';
import { createPki } from '../../src/x509/index.ts';
import type { TestPebble } from '../support/pebble.ts';

export const never: AbortSignal = new AbortController().signal;
export const pki = createPki();

export interface MemoryAccounts extends Accounts {
  readonly records: Map<string, AcmeAccountRecord>;
  /** Every record put, oldest first. */
  readonly history: AcmeAccountRecord[];
}

export function memoryAccounts(): MemoryAccounts {
  const records = new Map<string, AcmeAccountRecord>();
  const history: AcmeAccountRecord[] = [];
  return {
    records,
    history,
    get: async (issuer) => records.get(issuer),
    put: async (record) => {
      history.push(record);
      records.set(record.issuer, record);
    },
  };
}

/** Locks of one process; several layers made with the same ones stand for several processes. */
export function memoryLocks(): Locks {
  const tails = new Map<string, Promise<void>>();
  let number = 0;
  async function acquire(name: string): ReturnType<Locks['acquire']> {
    const before = tails.get(name);
    let free: () => void = () => {};
    const mine = new Promise<void>((resolve) => {
      free = resolve;
    });
    tails.set(
      name,
      Promise.all([before, mine]).then(() => {}),
    );
    await before;
    number += 1;
    return { lock: name, number, signal: never, release: async () => free() };
  }
  return { acquire, tryAcquire: acquire };
}

export interface SeenLog extends Log {
  readonly lines: { readonly level: string; readonly facts: object; readonly message: string }[];
}

export function memoryLog(): SeenLog {
  const lines: SeenLog['lines'] = [];
  const at = (level: string) => (facts: object, message: string) => {
    lines.push({ level, facts, message });
  };
  const log: SeenLog = {
    lines,
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: () => log,
  };
  return log;
}

/** Real time for deadlines; pauses pass at once and are written down. */
export function hurriedClock(): Clock & { readonly pauses: number[] } {
  const pauses: number[] = [];
  let skippedMs = 0;
  return {
    pauses,
    now: () => systemClock.now() + skippedMs,
    after: systemClock.after,
    async sleep(ms, signal) {
      signal?.throwIfAborted();
      pauses.push(ms);
      skippedMs += ms;
    },
  };
}

interface LayerParts {
  readonly accounts?: MemoryAccounts;
  readonly locks?: Locks;
}

export function layer(config: Omit<IssuerConfig, 'name'>, parts: LayerParts = {}) {
  const accounts = parts.accounts ?? memoryAccounts();
  const log = memoryLog();
  const clock = hurriedClock();
  const needs = { accounts, locks: parts.locks ?? memoryLocks(), clock, log };
  return { ...needs, acme: createAcme([{ name: 'ca', ...config }], needs, { version: '1.2.3' }) };
}

export function pebbleIssuer(pebble: TestPebble): Omit<IssuerConfig, 'name'> {
  return {
    directoryUrl: pebble.directoryUrl,
    trustPem: readFileSync(pebble.caFile, 'utf8'),
    contacts: ['operator@example.com'],
  };
}

export interface Responder {
  readonly answers: Map<string, string>;
  stop(): Promise<void>;
}

/** Answers HTTP-01 challenges on a port. */
export async function startResponder(port: number): Promise<Responder> {
  const answers = new Map<string, string>();
  const server = createServer((request, response) => {
    const answer = answers.get(request.url?.split('/').at(-1) ?? '');
    response.statusCode = answer === undefined ? 404 : 200;
    response.end(answer);
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    answers,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export function portOf(server: { address(): AddressInfo | string | null }): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server does not listen on TCP');
  return address.port;
}

/** The walk of an order over HTTP-01, as the core makes it. */
export async function issue(
  session: AcmeSession,
  names: readonly string[],
  {
    answers,
    profile,
    key,
  }: {
    readonly answers: Map<string, string>;
    readonly profile?: string | undefined;
    /** Default: a new one. */
    readonly key?: AcmeAccountRecord['key'] | undefined;
  },
): Promise<CertificateFacts> {
  const created = await session.newOrder({ names, profile }, never);
  for (const url of created.authorizations) {
    const { challenges } = await session.authorization(url, never);
    const challenge = challenges.find((one) => one.type === 'http-01');
    if (!challenge) throw new Error('no http-01 challenge');
    if (challenge.status === 'valid') continue;
    answers.set(challenge.token, session.keyAuthorization(challenge.token));
    await session.respond(challenge.url, never);
  }
  const ready = await until(session, created, ['ready', 'valid']);
  const privateKey = key ?? (await pki.generateKey('p256'));
  const finalized = await session.finalize(ready, pki.createCsr(names, privateKey), never);
  const valid = await until(session, finalized, ['valid']);
  const pem = await session.certificate(valid, never);
  return pki.readIssued(pem, { names, privateKey, now: systemClock.now() });
}

async function until(
  session: AcmeSession,
  from: AcmeOrder,
  wanted: readonly AcmeOrder['status'][],
): Promise<AcmeOrder> {
  let order = from;
  while (!wanted.includes(order.status)) {
    if (order.status === 'invalid') throw new Error(`the order failed: ${order.error?.detail}`);
    await systemClock.sleep(30);
    order = await session.order(order.url, never);
  }
  return order;
}
