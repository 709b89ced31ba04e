import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { editRenewal } from '../../src/core/records.ts';
import type { AgentSite } from '../support/agent.ts';
import { startPebble, type TestPebble } from '../support/pebble.ts';
import { until } from '../support/process.ts';
import type { Call } from '../support/proxy.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { accepted, hostNames, hostsSite, issued, keepUntilEnd, proxyBefore } from './given.ts';
import { storeOf } from './store-of.ts';

const keep = keepUntilEnd();
const day = 86_400_000;
const tickMs = 60_000;

describe('fifty certificates whose windows a CA moves into the past', () => {
  it('are all renewed within a tick of the next poll, each by one order that names its predecessor', async () => {
    const hosts = hostNames(50);
    const pebble = keep(await startPebble({ nonceReject: 0 }));
    const proxy = keep(await proxyBefore(pebble));
    const redis = keep(await startRedis());
    const site = await hostsSite({ pebble, proxy, hosts, config: { redis: { url: redis.url } } });
    const first = await site.start();
    const before = await issued(site, hosts);
    await first.stop(20_000);
    await Promise.all(hosts.map((host) => moveIntoPast(pebble, site, host)));
    const from = proxy.calls.length;
    await letMinutePass(site, redis);
    keep(await site.start());
    const calls = () => proxy.calls.slice(from);
    const ordered = () => calls().filter(namesPredecessor);
    const isOver = () => accepted(proxy, 'newOrder') >= 2 * hosts.length;
    await until('all have been ordered anew', isOver, 150_000);
    for (const order of ordered()) expect(order.at - firstPoll(calls(), order)).toBeLessThan(tickMs);
    await issued(site, hosts, { before });
    expect(new Set(ordered().map(predecessorOf)).size).toBe(hosts.length);
    expect(accepted(proxy, 'newOrder')).toBe(2 * hosts.length);
  });
});

/** The CA says that the certificate should have been renewed a year ago. */
async function moveIntoPast(pebble: TestPebble, { folder }: AgentSite, host: string): Promise<void> {
  const chain = readFileSync(join(folder, 'certificates', 'hosts.test', host, 'fullchain.pem'), 'utf8');
  const [certificate] = chain.split(/(?<=-----END CERTIFICATE-----\n)/);
  const [start, end] = [366, 365].map((days) => new Date(Date.now() - days * day).toISOString());
  const ariResponse = JSON.stringify({ suggestedWindow: { start, end } });
  await pebble.management('/set-renewal-info/', { certificate, ariResponse });
}

function predecessorOf({ payload }: Call): string | undefined {
  return (payload as { readonly replaces?: string } | undefined)?.replaces;
}

/** Whatever the answer: Pebble now and then has an internal error for one. */
function namesPredecessor(call: Call): boolean {
  return call.kind === 'newOrder' && predecessorOf(call) !== undefined;
}

/** As if a minute had passed since they were issued: the CA is asked for its advice then. */
async function letMinutePass(site: AgentSite, redis: TestRedis): Promise<void> {
  const store = await storeOf(site, redis);
  const at = Date.now();
  for (const { id } of await store.certificates.lineages())
    await editRenewal(id, store, (state) => ({
      putRenewals: [{ ...state, ariCheckAt: at }],
      due: [{ job: 'issue', id, at }],
    }));
  await store.close();
}

/** When the CA was first asked about the predecessor of an order; never: long ago. */
function firstPoll(calls: readonly Call[], order: Call): number {
  const isPoll = ({ kind, path }: Call) =>
    kind === 'renewalInfo' && path.endsWith(`/${predecessorOf(order)}`);
  return calls.find(isPoll)?.at ?? 0;
}
