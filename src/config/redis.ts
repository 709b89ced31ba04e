import { secret } from '../core/secret.ts';
import type { RedisConfig } from './config.ts';
import type { Reader } from './reader.ts';
import type { RedisPart } from './schema.ts';

/** Reads the TLS files, and takes user and password out of the URL, so that the URL can be shown. */
export function toRedis(part: RedisPart, reader: Reader): RedisConfig {
  const url = part.url === undefined ? undefined : new URL(part.url);
  const username = part.username ?? decoded(url?.username);
  const password = part.password ?? wrapped(decoded(url?.password));
  if (url !== undefined) Object.assign(url, { username: '', password: '' });
  const pem = (key: 'ca' | 'cert' | 'key') => {
    const name = part.tls?.[key];
    return name === undefined ? undefined : reader.file(name, ['redis', 'tls', key]);
  };
  return {
    ...part,
    url: url?.href,
    username,
    password,
    tls: part.tls && { ca: pem('ca'), cert: pem('cert'), key: wrapped(pem('key')) },
    serverPath: part.serverPath === undefined ? undefined : reader.absolute(part.serverPath),
  };
}

function decoded(text: string | undefined): string | undefined {
  return text === undefined || text === '' ? undefined : decodeURIComponent(text);
}

function wrapped(text: string | undefined) {
  return text === undefined ? undefined : secret(text);
}
