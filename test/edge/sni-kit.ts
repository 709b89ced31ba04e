import type { X509Certificate } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createServer } from 'node:tls';
import { onTestFinished } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { secret } from '../../src/core/secret.ts';
import { createSniResolver, type SniResolver, type SniResolverOptions } from '../../src/index.ts';
import { aclRulesFor, askerAclRulesFor, newerCommands, readerAclRulesFor } from '../../src/store/acl.ts';
import { openStore, type Store } from '../../src/store/index.ts';
import { silentLog } from '../store/samples.ts';
import { canary } from '../support/canaries.ts';
import { handshake } from '../support/handshake.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { testFolder } from '../support/run-folder.ts';

export const prefix = '{acme}';

/** A Redis with two users, of the least rights of an agent and of a resolver, and the store of an agent on it. */
export interface Site {
  readonly redis: TestRedis;
  readonly store: Store;
  /** What a resolver is opened with. */
  readonly options: SniResolverOptions;
  /** The same, for one that may also tell the agents which hosts clients ask for. */
  readonly asking: SniResolverOptions;
  /** As the resolver's user. */
  readonly password: string;
  stop(): Promise<void>;
}

export async function startSite(masterKey: string): Promise<Site> {
  const [own, password] = [canary(), canary()];
  const aclFile = join(testFolder('sni-acl'), 'users.acl');
  const users = [
    'user default on nopass ~* &* +@all',
    `user acme-agent >${own} ${aclRulesFor(prefix, newerCommands)}`,
    `user acme-sni >${password} ${readerAclRulesFor(prefix, newerCommands)}`,
    `user acme-asking >${password} ${readerAclRulesFor(prefix, newerCommands)} ${askerAclRulesFor(prefix)}`,
  ];
  writeFileSync(aclFile, `${users.join('\n')}\n`, { mode: 0o600 });
  const redis = await startRedis({ aclFile });
  const url = `redis://127.0.0.1:${redis.port}`;
  const store = await openStore({
    redis: { url, username: 'acme-agent', password: secret(own) },
    masterKeys: [secret<Uint8Array>(Buffer.from(masterKey, 'base64'))],
    clock: systemClock,
    log: silentLog,
  });
  return {
    redis,
    store,
    password,
    options: { redis: { url, username: 'acme-sni', password }, masterKey, logLevel: 'error' },
    asking: {
      redis: { url, username: 'acme-asking', password },
      masterKey,
      logLevel: 'error',
      onDemand: true,
    },
    stop: async () => {
      await store.close();
      await redis.stop();
    },
  };
}

export interface ServedSite {
  readonly resolver: SniResolver;
  /** Fingerprint of what a client is shown. */
  shown(servername: string, keyClass?: 'ec' | 'rsa'): Promise<string>;
  /** The certificate itself. */
  look(servername: string): Promise<X509Certificate>;
}

/** A TLS server that shows what a resolver of its own says. */
export async function serve(options: SniResolverOptions): Promise<ServedSite> {
  const resolver = await createSniResolver(options);
  const server = createServer(resolver.serverOptions(), (socket) => socket.end());
  server.on('tlsClientError', () => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  onTestFinished(async () => {
    await new Promise((resolve) => server.close(resolve));
    await resolver.close();
  });
  const look = (servername: string, keyClass?: 'ec' | 'rsa') => handshake({ port, servername, keyClass });
  return {
    resolver,
    look,
    shown: async (servername, keyClass) =>
      (await look(servername, keyClass)).fingerprint256.replaceAll(':', '').toLowerCase(),
  };
}
