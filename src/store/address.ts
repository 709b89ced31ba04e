import { AgentError } from '../core/errors.ts';
import { Secret } from '../core/secret.ts';

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** Where Redis is: exactly one of `url`, `socketPath`, `sentinels`, `cluster`. */
export interface RedisOptions {
  /** `redis://`, `rediss://` or `unix://`, with user, password and database if need be. */
  readonly url?: string | Secret<string> | undefined;
  readonly socketPath?: string | undefined;
  readonly sentinels?: readonly Endpoint[] | undefined;
  /** Name of the master group; default `mymaster`. */
  readonly sentinelName?: string | undefined;
  readonly sentinelUsername?: string | undefined;
  readonly sentinelPassword?: Secret<string> | undefined;
  /** TLS to the sentinels; `tls` is for the servers. */
  readonly sentinelTls?: RedisTls | undefined;
  readonly cluster?: readonly Endpoint[] | undefined;
  readonly username?: string | undefined;
  readonly password?: Secret<string> | undefined;
  readonly db?: number | undefined;
  readonly tls?: RedisTls | undefined;
}

export interface RedisTls {
  /** Trust anchors instead of the system's. */
  readonly caPem?: string | undefined;
  readonly certificatePem?: string | undefined;
  readonly privateKeyPem?: Secret<string> | undefined;
  readonly servername?: string | undefined;
}

export const defaultSentinelName = 'mymaster';

/** Address for people; never a password. */
export function describeAddress(options: RedisOptions): string {
  const list = (endpoints: readonly Endpoint[]) =>
    endpoints.map(({ host, port }) => `${host}:${port}`).join(', ');
  if (options.sentinels !== undefined)
    return `${options.sentinelName ?? defaultSentinelName} at sentinels ${list(options.sentinels)}`;
  if (options.cluster !== undefined) return `cluster ${list(options.cluster)}`;
  const { protocol, socketPath, host, db } = parseAddress(options);
  return socketPath ?? `${protocol}//${host}${db === 0 ? '' : `/${db}`}`;
}

export interface ParsedAddress {
  readonly protocol: string;
  /** Then host and port mean nothing. */
  readonly socketPath: string | undefined;
  readonly host: string;
  readonly hostname: string;
  readonly port: number;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly db: number;
}

/** Of a single server. Throws `config.invalid`. */
export function parseAddress({ url, socketPath, db }: RedisOptions): ParsedAddress {
  const text = url instanceof Secret ? url.reveal() : (url ?? 'redis://127.0.0.1:6379');
  const parsed = URL.canParse(text) ? new URL(text) : undefined;
  if (parsed === undefined || !['redis:', 'rediss:', 'unix:'].includes(parsed.protocol))
    throw new AgentError(
      'config.invalid',
      'redis.url must look like redis://host:6379, rediss://host:6379 or unix:///path',
    );
  const part = (value: string) => (value === '' ? undefined : decodeURIComponent(value));
  const port = parsed.port === '' ? 6379 : Number(parsed.port);
  const isSocket = parsed.protocol === 'unix:';
  return {
    protocol: parsed.protocol,
    socketPath: socketPath ?? (isSocket ? decodeURIComponent(parsed.pathname) : undefined),
    host: `${parsed.hostname}:${port}`,
    hostname: parsed.hostname.replace(/^\[|\]$/g, ''),
    port,
    username: part(parsed.username),
    password: part(parsed.password),
    db: db ?? (isSocket ? 0 : Number(parsed.pathname.slice(1) || 0)),
  };
}
