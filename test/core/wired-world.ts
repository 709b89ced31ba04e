import { createAcme } from '../../src/acme/index.ts';
import type { Clock } from '../../src/core/ports.ts';
import { type Call, startProxy, type TestProxy } from '../support/proxy.ts';
import { type CaFront, startCaFront } from './ca-front.ts';
import { gateSome, sessionCalls } from './gated-ports.ts';
import { startWorlds, type World } from './world.ts';

/** A world whose CAs are spoken to over HTTP by our own ACME layer, each through a proxy that makes faults. */
export interface WiredWorld extends World {
  readonly wire: { readonly first: TestProxy; readonly second: TestProxy };
  readonly fronts: { readonly first: CaFront; readonly second: CaFront };
  /** Everything that was slept inside jobs. */
  readonly waits: readonly number[];
  /** How long each job of an order held its worker. */
  readonly held: readonly number[];
  /** So long the call that waits in the proxy is on its way; ends early when the client hangs up. */
  takes(ms: number): (hungUp: Promise<void>, call: Call) => Promise<void>;
}

export interface WiredWorlds {
  open(): Promise<WiredWorld>;
  stop(): Promise<void>;
}

interface Stop {
  stop(): Promise<void>;
}

export async function startWiredWorlds(): Promise<WiredWorlds> {
  const worlds = await startWorlds();
  const running: Stop[] = [];
  const keep = <T extends Stop>(one: T): T => {
    running.push(one);
    return one;
  };

  async function open(): Promise<WiredWorld> {
    const waits: number[] = [];
    const wires = new Map<string, { readonly front: CaFront; readonly proxy: TestProxy }>();
    const world = await worlds.open(async ({ clock, gate, store, first, second, log }) => {
      for (const [name, ca] of [['first', first] as const, ['second', second] as const]) {
        const front = keep(await startCaFront(ca, clock));
        const proxy = keep(
          await startProxy({ upstream: front.directoryUrl, plain: true, now: clock.trueNow }),
        );
        wires.set(name, { front, proxy });
      }
      const own: Clock = {
        now: clock.now,
        after: clock.after,
        sleep: (ms, signal) => {
          waits.push(ms);
          return gate.aside(clock.sleep(ms, signal));
        },
      };
      const issuers = [...wires].map(([name, { proxy }]) => ({ name, directoryUrl: proxy.directoryUrl }));
      const acme = createAcme(
        issuers,
        { accounts: store.accounts, locks: store.locks, clock: own, log },
        { version: 'test' },
      );
      keep({ stop: () => acme.close() });
      const asking = gate.wrap('acme', {
        session: async (issuer: string, signal: AbortSignal) =>
          gateSome(issuer, await acme.session(issuer, signal), gate, sessionCalls),
        renewalInfo: acme.renewalInfo,
        revoke: acme.revoke,
      });
      return { ...asking, hasSession: acme.hasSession };
    });
    watchWaits(world, waits);
    const wire = (name: string) => {
      const found = wires.get(name);
      if (found === undefined) throw new Error(`no wire to ${name}`);
      return found;
    };
    return {
      ...world,
      wire: { first: wire('first').proxy, second: wire('second').proxy },
      fronts: { first: wire('first').front, second: wire('second').front },
      waits,
      takes:
        (ms) =>
        async (hungUp, { kind }) => {
          const pass = (passMs: number) =>
            Promise.race([new Promise<void>((resolve) => world.clock.outside(passMs, resolve)), hungUp]);
          const patienceMs = kind === 'newOrder' ? 30_000 : 10_000;
          if (ms <= patienceMs) return world.gate.aside(pass(ms));
          await world.gate.aside(pass(patienceMs + 1));
          // From here on nobody in the world waits for it.
          await pass(ms - patienceMs - 1);
        },
    };
  }

  return {
    open,
    stop: async () => {
      for (const one of running.splice(0).reverse()) await one.stop();
      await worlds.stop();
    },
  };
}

function watchWaits({ gate }: World, waits: number[]): void {
  gate.always('clock.sleep', async (proceed, [ms]) => {
    waits.push(Number(ms));
    return proceed();
  });
}
