import { writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { freePorts } from './ports.ts';
import { type ServerProcess, startProcess } from './process.ts';
import { testFolder } from './run-folder.ts';
import { createAuthority } from './tls.ts';

export interface PebbleOptions {
  /** Percentage of good nonces that it rejects. Default 5. */
  readonly nonceReject?: number | undefined;
  /** Percentage of valid authorizations that a new order reuses. Default 0. */
  readonly authzReuse?: number | undefined;
  readonly strict?: boolean | undefined;
  /** Waits a random time of up to so many seconds before each validation. Default: no wait. */
  readonly sleep?: number | undefined;
  /** Intermediates in the chain. */
  readonly chainLength?: number | undefined;
  readonly alternateRoots?: number | undefined;
  /** Account keys by key id (base64url); given: external account binding is required. */
  readonly eab?: Readonly<Record<string, string>> | undefined;
  /** `127.0.0.1:port` of the resolver that it asks. */
  readonly dnsServer?: string | undefined;
  /** Where it fetches HTTP-01 answers and connects for TLS-ALPN-01. Default: free ports. */
  readonly httpPort?: number | undefined;
  readonly tlsPort?: number | undefined;
  readonly profiles?:
    | Readonly<Record<string, { readonly description: string; readonly validityPeriod: number }>>
    | undefined;
  /** Seconds of Retry-After at authorizations and orders. */
  readonly retryAfter?: { readonly authz: number; readonly order: number } | undefined;
  readonly domainBlocklist?: readonly string[] | undefined;
  /** The port of its directory; for a Pebble that is started again under the same URL. */
  readonly port?: number | undefined;
}

export interface LaunchedPebble {
  readonly directoryUrl: string;
  /** PEM file of the authority that signed its own listener's certificate. */
  readonly caFile: string;
  readonly managementUrl: string;
  readonly httpPort: number;
  readonly tlsPort: number;
  readonly process: ServerProcess;
  directory(): Promise<Record<string, unknown>>;
  /** Of the management address, for example `/roots/0`. */
  management(path: string, body?: unknown): Promise<string>;
  stop(): Promise<void>;
}

const defaultProfiles = {
  default: { description: 'ninety days', validityPeriod: 7_776_000 },
  shortlived: { description: 'six days', validityPeriod: 518_400 },
};

/** Starts one Pebble with a listener certificate and a configuration of its own; nothing is shared with another. */
export async function launchPebble(program: string, options: PebbleOptions): Promise<LaunchedPebble> {
  const [freeDirectory = 0, management = 0, freeHttp = 0, freeTls = 0] = await freePorts(4);
  const folder = testFolder('pebble');
  const authority = createAuthority();
  const port = options.port ?? freeDirectory;
  const httpPort = options.httpPort ?? freeHttp;
  const tlsPort = options.tlsPort ?? freeTls;
  const listener = authority.issue(['localhost', '127.0.0.1']);
  const file = (name: string, content: string) => {
    writeFileSync(join(folder, name), content, { mode: 0o600 });
    return join(folder, name);
  };
  const caFile = file('ca.pem', authority.certificatePem);
  const config = {
    pebble: {
      listenAddress: `127.0.0.1:${port}`,
      managementListenAddress: `127.0.0.1:${management}`,
      certificate: file('listener.pem', listener.certificatePem),
      privateKey: file('listener.key', listener.privateKeyPem),
      httpPort,
      tlsPort,
      ocspResponderURL: '',
      externalAccountBindingRequired: options.eab !== undefined,
      externalAccountMACKeys: options.eab ?? {},
      domainBlocklist: options.domainBlocklist ?? [],
      retryAfter: options.retryAfter ?? { authz: 1, order: 1 },
      profiles: options.profiles ?? defaultProfiles,
      keyAlgorithm: 'ecdsa',
    },
  };
  const directoryUrl = `https://127.0.0.1:${port}/dir`;
  const managementUrl = `https://127.0.0.1:${management}`;
  const get = (url: string, body?: unknown) => exchange(url, authority.certificatePem, body);
  const server = await startProcess({
    name: 'pebble',
    command: [
      program,
      ...['-config', file('pebble.json', JSON.stringify(config))],
      ...(options.dnsServer === undefined ? [] : ['-dnsserver', options.dnsServer]),
      ...(options.strict === undefined ? [] : [`-strict=${options.strict}`]),
    ],
    env: environment(options),
    ready: async () =>
      (await get(directoryUrl)).includes('newOrder') && (await get(`${managementUrl}/roots/0`)) !== '',
  });
  return {
    directoryUrl,
    caFile,
    managementUrl,
    httpPort,
    tlsPort,
    process: server,
    directory: async () => JSON.parse(await get(directoryUrl)),
    management: (path, body) => get(`${managementUrl}${path}`, body),
    stop: async () => {
      await server.stop();
    },
  };
}

function environment(options: PebbleOptions): Record<string, string | undefined> {
  return {
    // Its handlers of new orders and of authorizations take two locks in opposite order. On several cores they meet within
    // a few thousand orders and nothing but the directory is answered any more; on one hardly ever.
    GOMAXPROCS: '1',
    PEBBLE_WFE_NONCEREJECT: String(options.nonceReject ?? 5),
    PEBBLE_AUTHZREUSE: String(options.authzReuse ?? 0),
    PEBBLE_VA_NOSLEEP: options.sleep === undefined ? '1' : undefined,
    PEBBLE_VA_SLEEPTIME: options.sleep === undefined ? undefined : String(options.sleep),
    PEBBLE_CHAIN_LENGTH: options.chainLength === undefined ? undefined : String(options.chainLength),
    PEBBLE_ALTERNATE_ROOTS: options.alternateRoots === undefined ? undefined : String(options.alternateRoots),
    PEBBLE_VA_ALWAYS_VALID: undefined,
  };
}

/** A plain exchange with a listener whose authority is known; rejects on any status but 2xx. */
export function exchange(url: string, ca: string, body?: unknown): Promise<string> {
  const payload = body === undefined ? undefined : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const call = request(
      url,
      {
        ca,
        method: payload === undefined ? 'GET' : 'POST',
        agent: false,
        timeout: 5_000,
        headers: { 'user-agent': 'tests' },
      },
      (answer) => {
        const parts: Buffer[] = [];
        answer.on('data', (part: Buffer) => parts.push(part));
        answer.on('end', () => {
          const text = Buffer.concat(parts).toString();
          const status = answer.statusCode ?? 0;
          if (status >= 200 && status < 300) resolve(text);
          else reject(new Error(`${url} answered ${status}: ${text.slice(0, 500)}`));
        });
      },
    );
    call.on('timeout', () => call.destroy(new Error(`${url}: no answer in 5 s`)));
    call.on('error', reject);
    call.end(payload);
  });
}
