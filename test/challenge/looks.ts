import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll } from 'vitest';
import { createPreflight } from '../../src/challenge/preflight.ts';
import { systemClock } from '../../src/clock.ts';
import type { Validator } from '../../src/core/http.ts';
import type { Finding, PreflightQuestion } from '../../src/core/ports.ts';
import { createCaaLookup } from '../../src/dns/caa-lookup.ts';
import { lookUpHost } from '../../src/dns/host-lookup.ts';
import { createResolver } from '../../src/dns/index.ts';
import { createPrivateCheck } from '../../src/http/private.ts';
import { createHttp } from '../../src/http.ts';
import { createTokens } from '../edge/tokens.ts';
import { startChalltestsrv, type TestDns } from '../support/pebble.ts';

const never = new AbortController().signal;
export const { token, keyAuthorization } = createTokens().trial();
export const path = `/.well-known/acme-challenge/${token}`;
/** Run after each test, the last first. */
export const closing: (() => unknown)[] = [];
/** Every name is 127.0.0.1 until it is told otherwise. */
export let dns: TestDns;

/** For the tests of a file. */
export function useLooks(): void {
  beforeAll(async () => {
    dns = await startChalltestsrv();
  });
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });
  afterAll(() => dns?.stop());
}

/** Listens on a loopback address; all of 127.0.0.0/8 is there on Linux. */
export async function serve(
  answer: RequestListener,
  at: { address?: string; port?: number } = {},
): Promise<number> {
  return listen(createServer(answer), at);
}

export async function listen(server: Server, { address = '127.0.0.1', port = 0 } = {}): Promise<number> {
  await new Promise<void>((resolve) => server.listen(port, address, resolve));
  closing.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}

export const right: RequestListener = ({ url }, response) =>
  response.writeHead(url === path ? 200 : 404).end(url === path ? `${keyAuthorization}\n` : 'no');
export const wrong: RequestListener = (_, response) => response.writeHead(404).end('<h1>Not here</h1>');
export const redirectTo =
  (location: string): RequestListener =>
  (_, response) =>
    response.writeHead(302, { location }).end();

export interface Wanted extends Partial<PreflightQuestion> {
  /** undefined: a public CA. */
  readonly httpPort?: number | undefined;
  readonly httpsPort?: number | undefined;
  readonly allowPrivate?: readonly string[] | undefined;
  readonly server?: string | undefined;
  readonly http?: Validator | undefined;
  readonly signal?: AbortSignal | undefined;
}

export async function look(name: string, wanted: Wanted = {}): Promise<readonly Finding[]> {
  return (await looker(wanted))(name);
}

/** Looks that share what they remember. */
export async function looker(wanted: Wanted): Promise<(name: string) => Promise<readonly Finding[]>> {
  const {
    httpPort,
    httpsPort,
    allowPrivate = ['127.0.0.0/8'],
    server = dns.dnsAddress,
    ...question
  } = wanted;
  const validation = httpPort === undefined ? undefined : { httpPort, httpsPort };
  const http = createHttp({ allowPrivate, clock: systemClock, userAgent: 'test' });
  closing.push(() => http.close());
  const resolver = createResolver({ servers: [server] }, { clock: systemClock });
  const preflight = createPreflight({
    caa: createCaaLookup({ resolver, clock: systemClock, closing: never }),
    ca: () => Promise.reject(new Error('the CA need not be asked')),
    lookUpHost: (host, signal) => lookUpHost(host, resolver, signal),
    isPrivate: createPrivateCheck([]),
    validationAt: () => validation,
    tokens: createTokens(),
    clock: systemClock,
    http: wanted.http ?? http,
  });
  const ca = { identities: ['ca.test'], account: 'https://ca.test/account/1' };
  return (name) =>
    preflight.look(
      { issuer: 'ca', ca, names: [name], challenge: 'http-01', ...question },
      wanted.signal ?? never,
    );
}

/** What was found of the host itself, not of its CAA records. */
export async function reach(
  name: string,
  wanted: Wanted = {},
): Promise<readonly (readonly [string, string, string])[]> {
  const findings = await look(name, wanted);
  return findings
    .filter(({ code }) => code !== 'challenge.caa')
    .map(({ level, code, message }) => [level, code, message] as const);
}
