import { createSocket } from 'node:dgram';
import { once, setMaxListeners } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { decode, type Question } from 'dns-packet';
import { onTestFinished } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import type { Clock } from '../../src/core/ports.ts';
import {
  createDns,
  type Dns,
  type DnsAccount,
  type DnsConfig,
  type DnsNeeds,
  type TxtWish,
} from '../../src/dns/index.ts';
import { type DnsFront, startDnsFront } from '../support/dns-front.ts';
import { createMemoryLog, createMemoryStore, type MemoryStore } from '../support/memory.ts';
import { createZoneStore, type RrSet, type ZoneStore } from '../support/zone-store.ts';
import { createTestVendor, type TestVendor, type VendorOptions } from './vendor.ts';

export const never: AbortSignal = new AbortController().signal;
setMaxListeners(0, never);

/** Where the challenges of `example.test` lie. */
export const apex = '_acme-challenge.example.test';

export interface Stage {
  readonly zones: ZoneStore;
  readonly front: DnsFront;
  readonly vendor: TestVendor;
  readonly memory: MemoryStore;
  readonly log: ReturnType<typeof createMemoryLog>;
  /** One more agent on the same store, vendor and DNS. */
  agent(overrides?: AgentOverrides): Dns;
}

export interface AgentOverrides
  extends Partial<Pick<DnsNeeds, 'http' | 'journal' | 'locks'>>,
    Pick<DnsConfig, 'doh'> {
  readonly account?: Partial<DnsAccount>;
  readonly clock?: Clock;
}

export interface StageOptions extends VendorOptions {
  /** Default: example.test. */
  readonly zones?: Readonly<Record<string, readonly RrSet[]>> | undefined;
  readonly publishDelayMs?: number | undefined;
}

/** One vendor with zones of its own, served by a DNS server, and agents that have an account there. */
export async function createStage(options: StageOptions = {}): Promise<Stage> {
  const zones = createZoneStore();
  const { publishDelayMs = 0 } = options;
  for (const [name, records] of Object.entries(options.zones ?? { 'example.test': [] }))
    zones.addZone(name, { publishDelayMs, records });
  const front = await startDnsFront(zones);
  onTestFinished(() => front.stop());
  const vendor = createTestVendor(zones, options);
  const memory = createMemoryStore();
  const log = createMemoryLog();
  const address = `${front.address}:${front.port}`;
  return {
    zones,
    front,
    vendor,
    memory,
    log,
    agent({ account, clock = systemClock, doh, ...overrides } = {}) {
      const { provider } = vendor;
      const accounts = [{ name: 'main', provider, zones: [], nameservers: [address], ...account }];
      const dns = createDns({ accounts, resolvers: [address], doh }, { ...memory, ...overrides, clock, log });
      onTestFinished(() => dns.close());
      return dns;
    },
  };
}

export function wish(name: string, value: string, more: Partial<TxtWish> = {}): TxtWish {
  const lineage = `${name}/${value}/ec`;
  return { name: `_acme-challenge.${name}`, value, lineage, leaseUntil: Date.now() + 600_000, ...more };
}

/** Asks as the core does, until the answer is yes. */
export async function untilReady(dns: Dns, ids: readonly string[]): Promise<void> {
  await Promise.all(
    ids.map(async (id) => {
      for (;;) {
        const ready = await dns.ready(id, never);
        if (ready === true) return;
        await pause(Math.max(0, ready.checkAgainAt - Date.now()));
      }
    }),
  );
}

/** Presents, and waits until all of it shows. */
export async function bringIn(dns: Dns, wishes: readonly TxtWish[]): Promise<readonly string[]> {
  const ids = await dns.present(wishes, never);
  await untilReady(dns, ids);
  return ids;
}

/** Waits for what happens in the background. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await pause(10);
}

export function errorOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (error: unknown) => error,
  );
}

/** A UDP server on loopback that answers every query with what `reply` makes of it. */
export async function startServer(
  reply: (id: number, question: Question, message: Buffer) => Uint8Array,
): Promise<string> {
  const socket = createSocket('udp4');
  socket.on('message', (message, peer) => {
    const { id = 0, questions = [] } = decode(message);
    const [question] = questions;
    if (question !== undefined) socket.send(reply(id, question, message), peer.port, peer.address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  onTestFinished(() => void socket.close());
  return `127.0.0.1:${socket.address().port}`;
}
