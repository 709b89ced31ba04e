import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { AgentSite } from '../support/agent.ts';
import { startPebble, type TestPebble } from '../support/pebble.ts';
import { until } from '../support/process.ts';
import type { Call } from '../support/proxy.ts';
import { startRedis } from '../support/redis.ts';
import { accepted, hostNames, hostsSite, issued, keepUntilEnd, proxyBefore } from './given.ts';

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
    // It wants to be asked every minute, where Pebble says six hours.
    const often = { 'retry-after': '60' };
    const always = Number.POSITIVE_INFINITY;
    proxy.rewrite('renewalInfo', ({ headers }) => ({ headers: { ...headers, ...often } }), always);
    keep(await site.start());
    const before = await issued(site, hosts);
    const moved = new Map(hosts.map((host) => [host, Date.now()]));
    await Promise.all(hosts.map((host) => moveIntoPast(pebble, site, host)));
    const ordered = () => proxy.calls.filter(namesPredecessor);
    const isOver = () => accepted(proxy, 'newOrder') >= 2 * hosts.length;
    await until('all have been ordered anew', isOver, 150_000);
    for (const order of ordered())
      expect(order.at - firstPoll(proxy.calls, order, moved)).toBeLessThan(tickMs);
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

/** When the CA was first asked about the predecessor of an order after it had moved its window; never: long ago. */
function firstPoll(calls: readonly Call[], order: Call, moved: ReadonlyMap<string, number>): number {
  const { identifiers } = order.payload as { readonly identifiers: readonly { readonly value: string }[] };
  const movedAt = moved.get(identifiers[0]?.value ?? '') ?? Number.POSITIVE_INFINITY;
  const isPoll = ({ kind, path, at }: Call) =>
    kind === 'renewalInfo' && at >= movedAt && path.endsWith(`/${predecessorOf(order)}`);
  return calls.find(isPoll)?.at ?? 0;
}
