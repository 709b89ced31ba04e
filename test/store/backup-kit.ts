import { randomBytes } from 'node:crypto';
import { onTestFinished } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { freshRenewal } from '../../src/core/records.ts';
import { secret } from '../../src/core/secret.ts';
import { openStore, type RedisOptions, type Store } from '../../src/store/index.ts';
import { startRedis } from '../support/redis.ts';
import {
  bundle,
  domain,
  host,
  issuance,
  journalEntry,
  lineage,
  masterKey,
  notice,
  silentLog,
} from './samples.ts';

const masterKeys = [masterKey()];
export const base = { masterKeys, clock: systemClock, log: silentLog };

export async function emptyRedis(): Promise<RedisOptions> {
  const redis = await startRedis();
  onTestFinished(() => redis.stop());
  return { url: redis.url };
}

export async function open(redis: RedisOptions): Promise<Store> {
  const store = await openStore({ redis, ...base });
  onTestFinished(() => store.close());
  return store;
}

export const shared = randomBytes(1_000);
export const held = ['a.test/www/ec', 'b.test/www/ec'];

export const account = {
  issuer: 'le',
  directoryUrl: 'https://ca.test',
  key: secret<Uint8Array>(randomBytes(138)),
  contacts: [],
  createdAt: 1,
};

export async function fill(store: Store): Promise<void> {
  for (const [index, id] of held.entries())
    await store.changes.commit({
      putDomains: [domain(`${id[0]}.test`)],
      putHosts: [host(`www.${id[0]}.test`, `${id[0]}.test`)],
      putLineages: [lineage(id, `${id[0]}.test`)],
      generation: bundle(id, 1, [shared]),
      putRenewals: [{ ...freshRenewal(id), failures: index }],
      putTasks: [
        {
          id: `t${index}`,
          operation: 'x',
          createdAt: Date.now(),
          state: 'running',
          items: [{ id, state: 'waiting' }],
        },
      ],
      due: [{ job: 'issue', id, at: 42 }],
      events: [{ type: 'certificate.issued', lineage: id, facts: {} }],
    });
  await store.changes.commit({ putIssuance: issuance('a.test/www/ec') });
  await store.accounts.put(account);
  await store.journal.intend([journalEntry('j1'), journalEntry('j2', { value: 'v2', leaseUntil: 9_000 })]);
  await store.outbox.add('mail', [notice('n1', 1)]);
  await store.locks.tryAcquire('passing', 60_000);
  await store.tokens.put('tok', 'tok.auth', Date.now() + 60_000);
  const [first] = await store.events.read('notify', 10);
  await store.events.ack('notify', [first?.id ?? '']);
}

/** Everything that the ports show. */
export async function contents(store: Store): Promise<unknown> {
  const bundles = await Promise.all(held.map((id) => store.certificates.bundle(id)));
  const account = await store.accounts.get('le');
  const begun = await store.issuances.get('a.test/www/ec');
  return {
    domains: await store.wishes.domains(),
    hosts: await store.wishes.hosts('a.test'),
    lineages: await store.certificates.lineages(),
    ofDomain: await store.certificates.lineages('b.test'),
    bundles: bundles.map((one) => [one?.certificate, one?.leafDer, one?.chainDer, one?.privateKey.reveal()]),
    renewals: await store.renewals.many(held),
    due: await store.due.next(1_000, 100),
    tasks: await store.tasks.list(10),
    account: [account, account?.key.reveal()],
    issuance: [begun, begun?.privateKey.reveal()],
    journal: [
      await store.journal.sharing(journalEntry('j2', { value: 'v2' })),
      (await store.journal.all()).map(({ id }) => id).sort(),
    ],
    notices: await store.outbox.list('mail'),
  };
}
