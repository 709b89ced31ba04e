import { describe, expect, it } from 'vitest';
import { startPebble } from '../support/pebble.ts';
import type { CallKind, FakeAnswer, Passing } from '../support/proxy.ts';
import { accepted, hostNames, hostsSite, issued, keepUntilEnd, proxyBefore } from './given.ts';

const keep = keepUntilEnd();
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

describe('between an agent and a CA over a bad line', () => {
  it('every call is cut off before and after, stumbles, and comes in pieces: all is issued, and little ordered twice', async () => {
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
});
