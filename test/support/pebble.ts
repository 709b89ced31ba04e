import { Resolver } from 'node:dns/promises';
import { readFile } from 'node:fs/promises';
import { serverProgram } from './fetch/index.ts';
import { exchange, launchPebble, type PebbleOptions } from './pebble-launch.ts';
import { freePorts } from './ports.ts';
import { accepts, startProcess } from './process.ts';

export type { PebbleOptions } from './pebble-launch.ts';

export interface TestPebble {
  readonly directoryUrl: string;
  /** PEM file of the authority of its own listeners; not the root of what it issues. */
  readonly caFile: string;
  readonly managementUrl: string;
  /** Where it fetches HTTP-01 answers. */
  readonly httpPort: number;
  /** Where it connects for TLS-ALPN-01. */
  readonly tlsPort: number;
  /** The resolver started with it, if no `dnsServer` was given: every name is 127.0.0.1. */
  readonly dns?: TestDns | undefined;
  /** Root of what it issues; with `alternateRoots`, `index` picks one. */
  rootPem(index?: number): Promise<string>;
  /** `/cert-status-by-serial/HEX`, `/set-renewal-info/` and the like; with a body it is a POST of JSON. */
  management(path: string, body?: unknown): Promise<string>;
  output(): string;
  stop(): Promise<void>;
}

/** Pebble from challtestsrv: names and records that it answers with, and its DNS address. */
export interface TestDns {
  /** `127.0.0.1:port`, UDP and TCP. */
  readonly dnsAddress: string;
  readonly managementUrl: string;
  addA(host: string, addresses: readonly string[]): Promise<void>;
  /** Appends a value; removing takes all values of the host. */
  setTxt(name: string, value: string): Promise<void>;
  clearTxt(name: string): Promise<void>;
  setCname(host: string, target: string): Promise<void>;
  setServfail(host: string): Promise<void>;
  clearServfail(host: string): Promise<void>;
  addCaa(host: string, policies: readonly { tag: string; value: string }[]): Promise<void>;
  /** Any other of its verbs, for example `dns-request-history`. */
  post(verb: string, body: unknown): Promise<string>;
  stop(): Promise<void>;
}

/**
 * A CA of its own. Without `dnsServer` a resolver comes with it, for which every name is 127.0.0.1. Without any option
 * the one at ACME_AGENT_TEST_PEBBLE_URL will do, where there is one.
 */
export async function startPebble(options: PebbleOptions = {}): Promise<TestPebble> {
  const isAnyGood = Object.keys(options).length === 0;
  if (isAnyGood && process.env.ACME_AGENT_TEST_PEBBLE_URL !== undefined) return runningPebble();
  const dns = options.dnsServer === undefined ? await startChalltestsrv() : undefined;
  const pebble = await launchPebble(serverProgram('pebble'), {
    ...options,
    dnsServer: options.dnsServer ?? dns?.dnsAddress,
  }).catch(async (error: unknown) => {
    await dns?.stop();
    throw error;
  });
  return {
    directoryUrl: pebble.directoryUrl,
    caFile: pebble.caFile,
    managementUrl: pebble.managementUrl,
    httpPort: pebble.httpPort,
    tlsPort: pebble.tlsPort,
    dns,
    rootPem: (index = 0) => pebble.management(`/roots/${index}`),
    management: pebble.management,
    output: () => pebble.process.output(),
    stop: async () => {
      await pebble.stop();
      await dns?.stop();
    },
  };
}

/** A resolver that answers every name with 127.0.0.1 until told otherwise, and has no IPv6. */
export async function startChalltestsrv(): Promise<TestDns> {
  const [dnsPort = 0, managementPort = 0] = await freePorts(2);
  const server = await startProcess({
    name: 'challtestsrv',
    command: [
      serverProgram('pebble-challtestsrv'),
      ...['-dnsserver', `127.0.0.1:${dnsPort}`, '-management', `127.0.0.1:${managementPort}`],
      ...['-http01', '', '-https01', '', '-tlsalpn01', '', '-doh', ''],
      ...['-defaultIPv4', '127.0.0.1', '-defaultIPv6', ''],
    ],
    ready: async () => (await accepts({ port: managementPort })) && (await answersDns(dnsPort)),
  });
  return {
    ...dnsVerbs(`http://127.0.0.1:${managementPort}`),
    dnsAddress: `127.0.0.1:${dnsPort}`,
    stop: async () => {
      await server.stop();
    },
  };
}

/** By UDP and by TCP: each has a listener of its own, which opens when it will. */
async function answersDns(port: number): Promise<boolean> {
  const resolver = new Resolver({ timeout: 1_000, tries: 1 });
  resolver.setServers([`127.0.0.1:${port}`]);
  const asked = await resolver.resolve4('ready.test').catch(() => undefined);
  return asked !== undefined && (await accepts({ port }));
}

function dnsVerbs(managementUrl: string): Omit<TestDns, 'dnsAddress' | 'stop'> {
  const post = async (verb: string, body: unknown) => {
    const answer = await fetch(`${managementUrl}/${verb}`, { method: 'POST', body: JSON.stringify(body) });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`challtestsrv ${verb} answered ${answer.status}: ${text}`);
    return text;
  };
  const tell = async (verb: string, body: unknown) => {
    await post(verb, body);
  };
  const dotted = (name: string) => (name.endsWith('.') ? name : `${name}.`);
  return {
    managementUrl,
    post,
    addA: (host, addresses) => tell('add-a', { host: dotted(host), addresses }),
    setTxt: (name, value) => tell('set-txt', { host: dotted(name), value }),
    clearTxt: (name) => tell('clear-txt', { host: dotted(name) }),
    setCname: (host, target) => tell('set-cname', { host: dotted(host), target: dotted(target) }),
    setServfail: (host) => tell('set-servfail', { host: dotted(host) }),
    clearServfail: (host) => tell('clear-servfail', { host: dotted(host) }),
    addCaa: (host, policies) => tell('add-caa', { host: dotted(host), policies }),
  };
}

/**
 * The one of `pebble-compose.yml`, or any other that somebody runs: its URL, the PEM file of its listener's authority
 * and its management addresses come from the environment, its validation ports are Pebble's defaults.
 */
async function runningPebble(): Promise<TestPebble> {
  const variable = (name: string, otherwise: string) => process.env[`ACME_AGENT_TEST_${name}`] ?? otherwise;
  const directoryUrl = variable('PEBBLE_URL', '');
  const managementUrl = variable('PEBBLE_MANAGEMENT_URL', 'https://127.0.0.1:15000');
  const caFile = variable('PEBBLE_CA', '');
  if (caFile === '')
    throw new Error('set ACME_AGENT_TEST_PEBBLE_CA to the PEM file that signed the listener of Pebble');
  const ca = await readFile(caFile, 'utf8');
  const management = (path: string, body?: unknown) => exchange(`${managementUrl}${path}`, ca, body);
  return {
    directoryUrl,
    caFile,
    managementUrl,
    httpPort: Number(variable('PEBBLE_HTTP_PORT', '5002')),
    tlsPort: Number(variable('PEBBLE_TLS_PORT', '5001')),
    dns: {
      ...dnsVerbs(variable('CHALLTESTSRV_URL', 'http://127.0.0.1:8055')),
      dnsAddress: variable('CHALLTESTSRV_DNS', '127.0.0.1:8053'),
      stop: async () => {},
    },
    rootPem: (index = 0) => management(`/roots/${index}`),
    management,
    output: () => '',
    stop: async () => {},
  };
}
