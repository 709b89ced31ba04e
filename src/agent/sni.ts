import { systemClock } from '../clock.ts';
import { loadConfig, readEnvironment } from '../config/load.ts';
import { AgentError } from '../core/errors.ts';
import { type Secret, secret } from '../core/secret.ts';
import { createSni, type Sni, type SniOptions } from '../edge/sni.ts';
import { createLog, type LogLevel } from '../log.ts';
import type { RedisOptions, RedisTls } from '../store/address.ts';
import { openReader } from '../store/reader.ts';
import { createPki } from '../x509/index.ts';
import { findMasterKey, missingMasterKey } from './master-key.ts';
import { findRedis } from './open.ts';

/** As the file of the agent has it, but with the words themselves in place of where they are found. */
export interface SniRedis
  extends Omit<RedisOptions, 'password' | 'sentinelPassword' | 'tls' | 'sentinelTls'> {
  readonly password?: string | undefined;
  readonly sentinelPassword?: string | undefined;
  readonly tls?: SniRedisTls | undefined;
  readonly sentinelTls?: SniRedisTls | undefined;
}

export interface SniRedisTls extends Omit<RedisTls, 'privateKeyPem'> {
  readonly privateKeyPem?: string | undefined;
}

export interface SniResolverOptions extends SniOptions {
  /** Redis, prefix and master key of this file of the agent, as far as they are not said here. */
  readonly configFile?: string | undefined;
  /** Best with a user of its own, of the least rights that the README gives. */
  readonly redis?: SniRedis | undefined;
  /** Default `{acme}`. */
  readonly prefix?: string | undefined;
  /** 32 bytes as hex or base64, or the file in which the agent keeps them. */
  readonly masterKey?: string | { readonly file: string } | undefined;
  /** On standard error. Default `warn`. */
  readonly logLevel?: LogLevel | undefined;
}

export interface SniResolver extends Sni {
  /** Ends the connections to Redis; what is in memory is still shown. */
  close(): Promise<void>;
}

/**
 * Shows certificates of the store in a Node server. Rejects with AgentError: `config.invalid`, `config.unreadable`,
 * `store.unavailable`, `store.notRunning`, `store.schema` or `store.masterKey`.
 */
export async function createSniResolver(options: SniResolverOptions): Promise<SniResolver> {
  const clock = systemClock;
  const log = createLog({ level: options.logLevel ?? 'warn' });
  const { redis, prefix, masterKey } = await whereFrom(options);
  const store = await openReader({ redis, prefix, masterKeys: [masterKey], clock, log });
  try {
    // Whether this user may tell the agents shows at once; no host has this name.
    if (options.onDemand === true) await store.hostAsks.ask('');
    const { stop, ...resolver } = await createSni(options, { ...store, pki: createPki(), clock, log });
    const close = async () => {
      stop();
      await store.close();
    };
    return { ...resolver, close };
  } catch (error) {
    await store.close();
    throw error;
  }
}

interface WhereFrom {
  readonly redis: RedisOptions;
  readonly prefix: string | undefined;
  readonly masterKey: Secret<Uint8Array>;
}

async function whereFrom(options: SniResolverOptions): Promise<WhereFrom> {
  const { configFile, redis, prefix, masterKey } = options;
  const loaded =
    configFile === undefined ? undefined : await loadConfig(configFile, readEnvironment().variables);
  const source = masterKey === undefined ? loaded?.config.masterKey : toSource(masterKey);
  if (source === undefined || (redis === undefined && loaded === undefined))
    throw new AgentError('config.invalid', 'createSniResolver needs redis and masterKey, or configFile');
  const key = await findMasterKey(source);
  if (key === undefined) throw missingMasterKey('file' in source ? source.file : '');
  return {
    redis:
      redis === undefined && loaded !== undefined ? await findRedis(loaded) : toRedisOptions(redis ?? {}),
    prefix: prefix ?? loaded?.config.redis.prefix,
    masterKey: key,
  };
}

function toSource(masterKey: string | { readonly file: string }) {
  return typeof masterKey === 'string' ? { value: secret(masterKey) } : masterKey;
}

function toRedisOptions({ password, sentinelPassword, tls, sentinelTls, ...rest }: SniRedis): RedisOptions {
  return {
    ...rest,
    password: password === undefined ? undefined : secret(password),
    sentinelPassword: sentinelPassword === undefined ? undefined : secret(sentinelPassword),
    tls: tls && toTls(tls),
    sentinelTls: sentinelTls && toTls(sentinelTls),
  };
}

function toTls({ privateKeyPem, ...rest }: SniRedisTls): RedisTls {
  return { ...rest, privateKeyPem: privateKeyPem === undefined ? undefined : secret(privateKeyPem) };
}
