import { secret } from '../core/secret.ts';
import type { RedisConfig, RedisTls } from './config.ts';
import { readCertificates, readPrivateKey } from './pem.ts';
import type { Reader } from './reader.ts';
import type { RedisPart } from './schema.ts';

/** Reads the TLS files, and takes user and password out of the URL, so that the URL can be shown. */
export function toRedis(part: RedisPart, reader: Reader): RedisConfig {
  reportContradictions(reader);
  const url = part.url === undefined ? undefined : new URL(part.url);
  const username = part.username ?? decoded(url?.username);
  const password = part.password ?? wrapped(decoded(url?.password));
  if (url !== undefined) Object.assign(url, { username: '', password: '' });
  return {
    ...part,
    url: url?.href,
    username,
    password,
    tls: toTls('tls', part, reader),
    sentinelTls: toTls('sentinelTls', part, reader),
    serverPath: part.serverPath === undefined ? undefined : reader.absolute(part.serverPath),
  };
}

/** By what is written: a part with mistakes of its own counts, and a contradiction hides no mistake in what it is about. */
function reportContradictions(reader: Reader): void {
  const said = new Set(reader.keys(['redis']));
  const report = (sentence: string) => reader.report(['redis'], sentence);
  if (['url', 'sentinels', 'cluster'].filter((key) => said.has(key)).length > 1)
    report('give one of url, sentinels and cluster');
  if (said.has('sentinels') !== said.has('sentinelName'))
    report('sentinels and sentinelName belong together');
  const ofSentinels = ['sentinelUsername', 'sentinelPassword', 'sentinelTls'];
  if (!said.has('sentinels') && ofSentinels.some((key) => said.has(key)))
    report('sentinelUsername, sentinelPassword and sentinelTls are for the servers in sentinels');
}

function toTls(place: 'tls' | 'sentinelTls', part: RedisPart, reader: Reader): RedisTls | undefined {
  const given = part[place];
  if (given === undefined) return undefined;
  const said = reader.keys(['redis', place]);
  if (said.includes('cert') !== said.includes('key'))
    reader.report(['redis', place], 'cert and key belong together');
  const at = (key: 'ca' | 'cert' | 'key') => ['redis', place, key];
  return {
    ca: readCertificates(given.ca, at('ca'), reader),
    cert: readCertificates(given.cert, at('cert'), reader),
    key: readPrivateKey(given.key, at('key'), reader),
    servername: given.servername,
  };
}

function decoded(text: string | undefined): string | undefined {
  return text === undefined || text === '' ? undefined : decodeURIComponent(text);
}

function wrapped(text: string | undefined) {
  return text === undefined ? undefined : secret(text);
}
