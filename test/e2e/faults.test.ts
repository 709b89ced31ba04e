import { describe, expect, it } from 'vitest';
import { startPebble } from '../support/pebble.ts';
import { until } from '../support/process.ts';
import type { CallKind, FakeAnswer, Passing } from '../support/proxy.ts';
import { accepted, hostNames, hostsSite, issued, keepFor, proxyBefore } from './given.ts';

const kinds: readonly CallKind[] = ['newOrder', 'authz', 'chall', 'order', 'finalize', 'cert'];
const always = Number.POSITIVE_INFINITY;

/** A CA that begins to offer what nobody knows yet. */
function withNewTypes({ status, text }: Passing): Partial<Passing> {
  if (status !== 200) return {};
  const authorization = JSON.parse(text);
  const unknown = [{ type: 'quantum-01', status: 'pending', url: 'https://ca.test/1', token: 'q' }, null];
  return {
    text: JSON.stringify({ ...authorization, challenges: [...unknown, ...authorization.challenges] }),
  };
}

describe.concurrent('between an agent and a CA over a bad line', () => {
  it('every call is cut off before and after, stumbles, and comes in pieces: all is issued, and little ordered twice', async (context) => {
    const keep = keepFor(context);
    // Half of all nonces are rejected besides.
    const pebble = keep(await startPebble({ nonceReject: 50 }));
    const proxy = keep(await proxyBefore(pebble));
    const hosts = hostNames(10);
    const busy: FakeAnswer = { code: 503, body: 'busy', nonce: true };
    proxy.cut('newNonce', 'before');
    proxy.cut('newAccount', 'after');
    for (const kind of kinds) {
      proxy.cut(kind, 'before');
      proxy.status(kind, busy);
      proxy.cut(kind, 'after');
    }
    proxy.drip(({ kind }) => kind === 'order' || kind === 'cert', { pieces: 8, pauseMs: 20 }, always);
    proxy.rewrite('authz', withNewTypes, always);
    const site = await hostsSite({ pebble, proxy, hosts });
    keep(await site.start());
    await issued(site, hosts, { timeoutMs: 100_000 });
    const finalized = proxy.calls.filter(({ kind, status }) => kind === 'finalize' && status === 200);
    expect(new Set(finalized.map(({ path }) => path)).size).toBeLessThanOrEqual(hosts.length);
    // One answer was lost, and no other order was made in vain.
    expect(accepted(proxy, 'newOrder')).toBeLessThanOrEqual(hosts.length + 3);
  });

  it('an answer to newOrder that is long in coming holds no worker, and is not lost; nor does it hold up the end of the agent', async (context) => {
    const keep = keepFor(context);
    const pebble = keep(await startPebble({ nonceReject: 0 }));
    const proxy = keep(await proxyBefore(pebble));
    const hosts = hostNames(2);
    const site = await hostsSite({ pebble, proxy, hosts, config: { concurrency: { issuance: 1 } } });
    const first = proxy.hold('newOrder');
    const agent = keep(await site.start());
    await first.seen;
    await until('the other one is issued', async () => proxy.counts().cert === 1, 60_000);
    first.release();
    await issued(site, hosts, { timeoutMs: 60_000 });
    expect(accepted(proxy, 'newOrder')).toBe(2);

    const last = proxy.hold('newOrder');
    await site.json('renew', hosts[0] ?? '', '--force');
    const before = agent.output().length;
    await last.seen;
    await until('no job waits for it', () => agent.output(before).includes('long in answering'), 60_000);
    expect(await agent.stop()).toMatchObject({ code: 0 });
    last.drop();
  });
});
