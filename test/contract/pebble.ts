import { expect, it, onTestFinished } from 'vitest';
import { createDns01Solver } from '../../src/challenge/dns01.ts';
import { systemClock } from '../../src/clock.ts';
import type { AcmeOrder, AcmeSession, ChallengeToSolve, Solver } from '../../src/core/ports.ts';
import { layer, pebbleIssuer, pki } from '../acme/kit.ts';
import { hasServer } from '../support/fetch/index.ts';
import { startPebble } from '../support/pebble.ts';
import { engineAt, untilReady } from './engine.ts';
import { points } from './points.ts';
import type { Suite } from './suite.ts';

const signal = new AbortController().signal;
const orders = 20;

/** Point 27: apex, wildcard and a name that a CNAME delegates, in 20 orders at once, at a strict CA that rejects nonces. */
export function describePebble({ subject, point }: Suite): void {
  if (!hasServer('pebble')) {
    it.skip(`27 ${points[27]} (needs Pebble)`);
    return;
  }
  point(
    27,
    async () => {
      const { dns: dnsServer = '', zone, aliases } = subject();
      const pebble = await startPebble({ dnsServer, strict: true, nonceReject: 20 });
      onTestFinished(() => pebble.stop());
      const { acme } = layer(pebbleIssuer(pebble));
      onTestFinished(() => acme.close());
      const { dns, memory } = engineAt(subject());
      const solver = createDns01Solver(dns, { clock: systemClock });
      const session = await acme.session('ca', signal);
      const delegated = aliases?.first.replace('_acme-challenge.', '') ?? '';
      await Promise.all(
        Array.from({ length: orders }, async (_, index) => {
          const host = `order-${index}.${zone.name}`;
          const shared = index === 0 ? [delegated, zone.name, `*.${zone.name}`] : [];
          await proveAtLast(session, solver, [host, `*.${host}`, ...shared]);
        }),
      );
      // Some make one change at a time: more than a stopping agent has the patience for.
      await expect.poll(() => memory.journal.all(), { timeout: 60_000 }).toEqual([]);
      await dns.close();
    },
    { part: 'aliases' },
  );
}

/** Pebble waits two seconds for its resolver, which is in this process; a busy machine takes longer, and it is asked anew. */
async function proveAtLast(session: AcmeSession, solver: Solver, names: readonly string[]): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await prove(session, solver, names);
    } catch (error) {
      if (attempt === 5 || !/i\/o timeout/.test(String(error))) throw error;
    }
  }
}

/** The walk of an order over DNS-01, as the core makes it. */
async function prove(session: AcmeSession, solver: Solver, names: readonly string[]): Promise<void> {
  const created = await session.newOrder({ names }, signal);
  const found = await Promise.all(
    created.authorizations.map((url) => challengeOf(session, url, names[0] ?? '')),
  );
  const ids = await solver.present(
    found.map(({ challenge }) => challenge),
    signal,
  );
  try {
    await Promise.all(
      ids.map(async (id, index) => {
        await untilReady(solver, id);
        await session.respond(found[index]?.url ?? '', signal);
      }),
    );
    const ready = await until(session, created, 'ready');
    const key = await pki.generateKey('p256');
    const finalized = await session.finalize(ready, pki.createCsr(names, key), signal);
    await session.certificate(await until(session, finalized, 'valid'), signal);
  } finally {
    await solver.cleanUp(ids, signal);
  }
}

async function challengeOf(session: AcmeSession, authorizationUrl: string, domain: string) {
  const { identifier, wildcard, challenges } = await session.authorization(authorizationUrl, signal);
  const found = challenges.find(({ type }) => type === 'dns-01');
  if (found === undefined) throw new Error('the CA offers no dns-01');
  const { url, token } = found;
  const challenge: ChallengeToSolve = {
    lineage: `${domain}/${domain}/ec`,
    domain,
    identifier,
    wildcard,
    names: [identifier.value],
    token,
    keyAuthorization: session.keyAuthorization(token),
    accountUrl: session.accountUrl,
    expiresAt: Date.now() + 3_600_000,
  };
  return { url, challenge };
}

async function until(session: AcmeSession, from: AcmeOrder, wanted: AcmeOrder['status']): Promise<AcmeOrder> {
  let order = from;
  while (order.status !== wanted) {
    if (order.status === 'invalid') throw new Error(`the order failed: ${order.error?.detail}`);
    await systemClock.sleep(100, signal);
    order = await session.order(order.url, signal);
  }
  return order;
}
