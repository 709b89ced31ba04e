import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { deferred } from './deferred.ts';
import { type DnsFront, startDnsFront } from './dns-front.ts';
import { changeRecords, listedSets, type Refusal, seedQuotes } from './route53-records.ts';
import {
  changeInfoXml,
  errorXml,
  hostedZonesByNameXml,
  hostedZoneXml,
  recordSetsXml,
} from './route53-xml.ts';
import { createZoneStore, type RrSet, type ZoneStore } from './zone-store.ts';

export type Route53Operation = 'zonesByName' | 'zone' | 'list' | 'change' | 'getChange';

export interface Route53Zone {
  readonly name: string;
  /** Default: Z and a number. */
  readonly id?: string | undefined;
  readonly private?: boolean | undefined;
  readonly records?: readonly RrSet[] | undefined;
}

export interface Route53Options {
  readonly zones: readonly Route53Zone[];
  /** From PENDING to INSYNC, when the DNS server shows it too; default 0. */
  readonly insyncMs?: number | undefined;
  /** A second change of a zone within this time is refused with PriorRequestNotComplete; default 0. */
  readonly changeMs?: number | undefined;
  readonly dnsPort?: number | undefined;
  /** Root of the document that refuses a batch; real servers have shown both. */
  readonly errorRoot?: 'ErrorResponse' | 'InvalidChangeBatch' | undefined;
  /** Of AWS: 10 a second, 50 at once; default none. */
  readonly limit?: { readonly perSecond: number; readonly burst: number } | undefined;
}

/** A fault that the next calls of an operation meet. */
export interface Injection {
  readonly operation: Route53Operation;
  readonly status: number;
  readonly code: string;
  readonly message?: string | undefined;
  readonly retryAfterSeconds?: number | undefined;
  /** true: the change is made, only its answer is lost. */
  readonly applied?: boolean | undefined;
  /** Default 1. */
  readonly times?: number | undefined;
}

export interface Route53 {
  readonly endpoint: string;
  readonly accessKeyId: string;
  /** Calls that came in, refused ones too. */
  readonly calls: Readonly<Record<Route53Operation, number>>;
  /** Calls that the limit refused so far. */
  refused(): number;
  readonly zoneStore: ZoneStore;
  readonly dnsAddress: { readonly address: string; readonly port: number };
  readonly dns: DnsFront;
  inject(injection: Injection): void;
  /** Keeps the next call of the operation unanswered until `release`; `reached` resolves when it came in. */
  hold(operation: Route53Operation): { readonly reached: Promise<void>; release(): void };
  stop(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

interface Request {
  readonly operation: Route53Operation;
  readonly id: string;
  readonly query: URLSearchParams;
  readonly body: string;
}

interface Hold {
  readonly operation: Route53Operation;
  onReached(): void;
  readonly released: Promise<void>;
}

const accessKeyId = 'AKIDEMULATOR';

/** A stateful stand-in for the Route 53 API with the DNS server that publishes its zones. */
export async function startRoute53(options: Route53Options): Promise<Route53> {
  const zoneStore = createZoneStore();
  const zones = options.zones.map((zone, index) => ({ ...zone, id: zone.id ?? `Z${1000 + index}` }));
  for (const zone of zones.filter((one) => one.private !== true)) {
    zoneStore.addZone(zone.name, { publishDelayMs: options.insyncMs ?? 0, records: zone.records ?? [] });
  }
  const quotes = seedQuotes(zoneStore);
  const calls = { zonesByName: 0, zone: 0, list: 0, change: 0, getChange: 0 };
  const injections: Injection[] = [];
  const changes = new Map<string, 'PENDING' | 'INSYNC'>();
  const busyUntil = new Map<string, number>();
  const allowed = createLimit(options.limit);
  const holds: Hold[] = [];
  let refusals = 0;

  async function answer(request: Request): Promise<Answer> {
    calls[request.operation]++;
    const index = holds.findIndex((hold) => hold.operation === request.operation);
    const [hold] = index < 0 ? [] : holds.splice(index, 1);
    hold?.onReached();
    await hold?.released;
    const isAllowed = allowed();
    if (!isAllowed) refusals++;
    if (!isAllowed) return refuse({ status: 400, code: 'Throttling', message: 'Rate exceeded' });
    const injected = takeInjection(injections, request.operation);
    if (injected !== undefined && injected.applied !== true) return refuse(injected);
    const real = handle(request);
    return injected === undefined ? real : refuse(injected);
  }

  function handle({ operation, id, query, body }: Request): Answer {
    if (operation === 'zonesByName') return ok(hostedZonesByNameXml(zones, query));
    if (operation === 'getChange') {
      const status = changes.get(id);
      if (status === undefined) return refuse({ status: 404, code: 'NoSuchChange' });
      return ok(changeInfoXml('GetChangeResponse', id, status));
    }
    const zone = zones.find((one) => one.id === id);
    if (zone === undefined) return refuse({ status: 404, code: 'NoSuchHostedZone' });
    if (operation === 'zone') return ok(hostedZoneXml(zone));
    if (operation === 'list') return ok(recordSetsXml(listedSets(zoneStore, quotes, zone.name), query));
    return change(zone, body);
  }

  function change(zone: Route53Zone & { id: string }, body: string): Answer {
    const now = Date.now();
    if (now < (busyUntil.get(zone.id) ?? 0)) return refuse({ status: 400, code: 'PriorRequestNotComplete' });
    const made = changeRecords(body, { zoneStore, quotes, zone: zone.name });
    if ('messages' in made) return refuseBatch(made, options.errorRoot ?? 'ErrorResponse');
    busyUntil.set(zone.id, now + (options.changeMs ?? 0));
    const id = `C${1000 + changes.size}`;
    changes.set(id, 'PENDING');
    made.published.then(() => changes.set(id, 'INSYNC'));
    return ok(changeInfoXml('ChangeResourceRecordSetsResponse', id, 'PENDING'));
  }

  const server = createServer((request, response) => {
    respond(request, response, answer).catch((error) => response.destroy(error));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const dns = await startDnsFront(zoneStore, { port: options.dnsPort ?? 0 });
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    accessKeyId,
    calls,
    refused: () => refusals,
    zoneStore,
    dnsAddress: { address: dns.address, port: dns.port },
    dns,
    inject: (injection) => injections.push(injection),
    hold(operation) {
      const reached = deferred();
      const released = deferred();
      holds.push({ operation, onReached: reached.resolve, released: released.promise });
      return { reached: reached.promise, release: released.resolve };
    },
    async stop() {
      server.closeAllConnections();
      await Promise.all([new Promise((resolve) => server.close(resolve)), dns.stop()]);
    },
  };
}

async function respond(
  message: IncomingMessage,
  response: ServerResponse,
  answer: (request: Request) => Promise<Answer>,
): Promise<void> {
  let body = '';
  for await (const chunk of message) body += chunk;
  const url = new URL(message.url ?? '/', 'http://127.0.0.1');
  const routed = route(message.method ?? '', url.pathname);
  const isKnown = message.headers.authorization?.includes(`Credential=${accessKeyId}/`) === true;
  const {
    status,
    body: xml,
    headers,
  } = !isKnown
    ? refuse({ status: 403, code: 'InvalidClientTokenId', message: 'The security token is invalid.' })
    : routed === undefined
      ? refuse({ status: 404, code: 'UnknownOperation', message: url.pathname })
      : await answer({ ...routed, query: url.searchParams, body });
  response.writeHead(status, { 'content-type': 'text/xml', ...headers });
  response.end(xml);
}

function route(method: string, path: string): Pick<Request, 'operation' | 'id'> | undefined {
  const [, version, kind, id = '', sub] = path.split('/');
  if (version !== '2013-04-01') return undefined;
  if (kind === 'hostedzonesbyname') return { operation: 'zonesByName', id };
  if (kind === 'change') return { operation: 'getChange', id };
  if (kind !== 'hostedzone' || id === '') return undefined;
  if (sub === 'rrset') return { operation: method === 'POST' ? 'change' : 'list', id };
  return { operation: 'zone', id };
}

function createLimit(limit: Route53Options['limit']): () => boolean {
  let tokens = limit?.burst ?? 0;
  let at = Date.now();
  return () => {
    if (limit === undefined) return true;
    tokens = Math.min(limit.burst, tokens + ((Date.now() - at) / 1000) * limit.perSecond);
    at = Date.now();
    if (tokens < 1) return false;
    tokens -= 1;
    return true;
  };
}

function takeInjection(injections: Injection[], operation: Route53Operation): Injection | undefined {
  const index = injections.findIndex((injection) => injection.operation === operation);
  const [found] = index < 0 ? [] : injections.splice(index, 1);
  if (found !== undefined && (found.times ?? 1) > 1) {
    injections.unshift({ ...found, times: (found.times ?? 1) - 1 });
  }
  return found;
}

function ok(body: string): Answer {
  return { status: 200, body };
}

function refuse(fault: Pick<Injection, 'status' | 'code' | 'message' | 'retryAfterSeconds'>): Answer {
  return {
    status: fault.status,
    body: errorXml(fault.code, fault.message ?? fault.code),
    ...(fault.retryAfterSeconds !== undefined && {
      headers: { 'retry-after': String(fault.retryAfterSeconds) },
    }),
  };
}

function refuseBatch({ messages }: Refusal, root: 'ErrorResponse' | 'InvalidChangeBatch'): Answer {
  if (root === 'ErrorResponse') {
    return refuse({ status: 400, code: 'InvalidChangeBatch', message: `[${messages.join(', ')}]` });
  }
  const listed = messages.map((text) => `<Message>${text.replaceAll('<', '&lt;')}</Message>`).join('');
  return {
    status: 400,
    body: `<?xml version="1.0"?><InvalidChangeBatch xmlns="https://route53.amazonaws.com/doc/2013-04-01/"><Messages>${listed}</Messages><RequestId>r</RequestId></InvalidChangeBatch>`,
  };
}
