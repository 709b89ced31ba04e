import { onTestFinished } from 'vitest';
import { cloudflare } from '../../providers/cloudflare.ts';
import { hetzner } from '../../providers/hetzner.ts';
import { pluginStateOf } from '../../src/agent/care.ts';
import { createDns01Solver } from '../../src/challenge/dns01.ts';
import { systemClock } from '../../src/clock.ts';
import type { Clock, Solver } from '../../src/core/ports.ts';
import type { DnsProvider } from '../../src/core/provider.ts';
import { createDns } from '../../src/dns/index.ts';
import { providerAt } from '../contract/vendor.ts';
import { createMemoryStore } from '../support/memory.ts';
import { createPluginContext } from '../support/plugin-context.ts';
import { freePort } from '../support/ports.ts';
import { cloudflareFront, token } from '../support/vendors/cloudflare.ts';
import { hetznerFront, token as hetznerToken } from '../support/vendors/hetzner.ts';
import { type Front, startVendor, type VendorOptions, type VendorServer } from '../support/vendors/server.ts';
import type { WiredWorld } from './wired-world.ts';

type Provoke = (world: WiredWorld) => Promise<void>;

const speed = 100;
const zone = 'example.com';
const owner = `_acme-challenge.www.${zone}`;

interface Ways {
  readonly spoil?: ((vendor: VendorServer) => void) | undefined;
  readonly apiToken?: string | undefined;
  /** Default: the server of the vendor's zones. */
  readonly resolver?: string | undefined;
}

/** The account `zone` is at Cloudflare, whose stand-in has these ways. */
export function atCloudflare(options: VendorOptions = {}, ways: Ways = {}): Provoke {
  return async (world) => {
    const vendor = await startVendor(cloudflareFront, { zones: [zone], ...options });
    onTestFinished(() => vendor.stop());
    ways.spoil?.(vendor);
    const clock = engineClock(world);
    const context = createPluginContext('zone', clock);
    const account = { definition: cloudflare, options: { apiToken: ways.apiToken ?? token } };
    const provider = await providerAt(account, vendor, context);
    solveBy(world, { provider, clock, resolver: ways.resolver ?? `127.0.0.1:${vendor.dns.port}` });
  };
}

/** The zone is in the DNS, but the account does not have it. */
export const strangeZone: Provoke = async (world) => {
  const other = await startVendor(cloudflareFront, { zones: [zone] });
  onTestFinished(() => other.stop());
  await atCloudflare({ zones: ['other.test'] }, { resolver: `127.0.0.1:${other.dns.port}` })(world);
};

/** The servers of the zone have another name for the challenge, which is that one itself. */
export const cnameLoop: Provoke = (world) =>
  atCloudflare({ records: [{ name: owner, type: 'CNAME', ttl: 60, values: [owner] }] })(world);

/** Nobody answers where the resolver should be. */
export const deadResolver: Provoke = async (world) =>
  atCloudflare({}, { resolver: `127.0.0.1:${await freePort()}` })(world);

/** What answers there knows other zones only, and resolves nothing. */
export const strictResolver: Provoke = async (world) => {
  const other = await startVendor(cloudflareFront, { zones: ['other.test'] });
  onTestFinished(() => other.stop());
  await atCloudflare({}, { resolver: `127.0.0.1:${other.dns.port}` })(world);
};

/** A zone that is locked each time that we want to change it, as by a long action of somebody else. */
export const busyZone: Provoke = async (world) => {
  const locked = { error: { code: 'locked', message: 'another action of the zone is running' } };
  const busyFront: Front = {
    ...hetznerFront,
    routes: (held) =>
      hetznerFront
        .routes(held)
        .map((route) =>
          route.path.endsWith('/add_records')
            ? { ...route, run: () => ({ status: 423, json: locked }) }
            : route,
        ),
  };
  const vendor = await startVendor(busyFront, { zones: [zone] });
  onTestFinished(() => vendor.stop());
  const clock = engineClock(world);
  const account = { definition: hetzner, options: { apiToken: hetznerToken } };
  const provider = await providerAt(account, vendor, createPluginContext('zone', clock));
  solveBy(world, { provider, clock, resolver: `127.0.0.1:${vendor.dns.port}` });
};

interface Parts {
  readonly provider: DnsProvider;
  readonly clock: Clock;
  readonly resolver: string;
}

/** The world's records are brought in by the DNS engine from now on, put together as the agent does it. */
function solveBy(world: WiredWorld, { provider, clock, resolver }: Parts): void {
  const { log } = world.needs;
  const accounts = [{ name: 'zone', provider, zones: [], nameservers: [resolver] }];
  const { journal, locks, buckets } = world.store;
  const pluginState = pluginStateOf(world.store);
  const { metrics, http } = createMemoryStore();
  const needs = { journal, locks, buckets, pluginState, metrics, http, clock, log };
  const dns = createDns({ accounts, resolvers: [resolver], doh: [] }, needs);
  const solver = createDns01Solver(dns, { clock });
  const ready: Solver['ready'] = async (id, signal) => {
    const shown = await solver.ready(id, signal);
    if (shown === true || 'byHand' in shown) return shown;
    // What the core waits takes no time at all, what the engine waits some.
    await clock.sleep(Math.max(0, shown.checkAgainAt - clock.now()), signal);
    return { checkAgainAt: world.clock.now() };
  };
  Object.assign(world.zone.solver, { ...solver, ready });
  onTestFinished(() => dns.close());
}

/** Begins with the world's time, and runs by itself, so much faster than ours. Deadlines are met on a busy machine, too. */
function engineClock({ clock }: WiredWorld): Clock {
  const [since, begun] = [systemClock.now(), clock.now()];
  return {
    now: () => begun + (systemClock.now() - since) * speed,
    sleep: (ms, signal) => systemClock.sleep(ms / speed, signal),
    after: systemClock.after,
  };
}
