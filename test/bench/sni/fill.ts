import { randomBytes } from 'node:crypto';
import { systemClock } from '../../../src/clock.ts';
import { secret } from '../../../src/core/secret.ts';
import type { SniResolverOptions } from '../../../src/index.ts';
import { openStore, type Store } from '../../../src/store/index.ts';
import { addDomain, held } from '../../edge/sni-held.ts';
import { silentLog } from '../../store/samples.ts';
import { keyPem } from '../../support/forge.ts';
import { startRedis } from '../../support/redis.ts';
import { intermediate } from '../../x509/upload/pki.ts';

export interface Filled {
  readonly names: readonly string[];
  readonly options: SniResolverOptions;
  /** One of the certificates, for a server of its own. */
  readonly sample: { readonly cert: string; readonly key: string };
  stop(): Promise<void>;
}

const domain = 'hosts.test';

/** A store with a certificate of its own for each host: P-256, one intermediate. */
export async function fill(count: number): Promise<Filled> {
  const key = randomBytes(32).toString('base64');
  const redis = await startRedis();
  const store = await openStore({
    redis: { url: redis.url },
    masterKeys: [secret<Uint8Array>(Buffer.from(key, 'base64'))],
    clock: systemClock,
    log: silentLog,
  });
  const names = Array.from({ length: count }, (_, index) => `h${index}.${domain}`);
  await addDomain(store, domain);
  for (let at = 0; at < count; at += 100)
    await Promise.all(names.slice(at, at + 100).map((name) => put(store, name)));
  await store.close();
  const { forged } = held({ id: `${domain}/h0.${domain}/ec`, of: domain, names: [`h0.${domain}`] });
  return {
    names,
    options: { redis: { url: redis.url }, masterKey: key },
    sample: { cert: forged.pem + intermediate.pem, key: keyPem(forged.key) },
    stop: () => redis.stop(),
  };
}

async function put(store: Store, name: string): Promise<void> {
  const { change } = held({ id: `${domain}/${name}/ec`, of: domain, names: [name] });
  await store.changes.commit(change);
}
