import { randomBytes } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import { createAuthority } from '../support/tls.ts';
import { portOf } from './kit.ts';

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** Of the JWS; empty for a GET. */
  readonly protected: Readonly<Record<string, unknown>>;
  readonly payload: unknown;
}

/** What to do in place of the usual answer; once. */
export type Fault = (response: ServerResponse, seen: SeenRequest) => void;

export interface FakeCa {
  readonly url: string;
  readonly directoryUrl: string;
  readonly trustPem: string;
  readonly requests: readonly SeenRequest[];
  /** TLS connections accepted. */
  readonly connections: () => number;
  /** Nonces that came a second time or were never given out. */
  readonly wrongNonces: readonly unknown[];
  /** The next requests to `path` meet these faults, in order. */
  fail(path: string, ...faults: readonly Fault[]): void;
  /** Documents by path; change them to change the usual answers. */
  readonly documents: Record<string, unknown>;
  stop(): Promise<void>;
}

/** A CA for what real ones do rarely. Its usual answers are right; it accepts a nonce once. */
export async function startFakeCa(): Promise<FakeCa> {
  const authority = createAuthority();
  const { certificatePem, privateKeyPem } = authority.issue(['127.0.0.1']);
  const requests: SeenRequest[] = [];
  const faults = new Map<string, Fault[]>();
  const nonces = new Set<string>();
  const wrongNonces: unknown[] = [];
  const documents: Record<string, unknown> = {};
  let connections = 0;

  const freshNonce = (): string => {
    const nonce = randomBytes(16).toString('base64url');
    nonces.add(nonce);
    return nonce;
  };

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const seen = await readRequest(request);
    requests.push(seen);
    response.setHeader('replay-nonce', freshNonce());
    const fault = faults.get(seen.path)?.shift();
    const isFresh = seen.method !== 'POST' || nonces.delete(String(seen.protected.nonce));
    if (!isFresh) wrongNonces.push(seen.protected.nonce);
    if (fault) return fault(response, seen);
    if (!isFresh) return problem(400, 'badNonce')(response, seen);
    if (seen.path === '/nonce') return void response.writeHead(204).end();
    const document = documents[seen.path];
    if (document === undefined) return problem(404, 'malformed')(response, seen);
    const created: Record<string, string> = { '/new-account': '/account/1', '/new-order': '/order/1' };
    const location = created[seen.path];
    if (location !== undefined) response.setHeader('location', url + location);
    json(response, location === undefined ? 200 : 201, document);
  }

  const server = createServer({ cert: certificatePem, key: privateKeyPem }, (request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  server.on('secureConnection', () => {
    connections += 1;
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `https://127.0.0.1:${portOf(server)}`;
  Object.assign(documents, usualDocuments(url));
  return {
    url,
    directoryUrl: `${url}/dir`,
    trustPem: authority.certificatePem,
    requests,
    wrongNonces,
    documents,
    connections: () => connections,
    fail: (path, ...more) => void faults.set(path, [...(faults.get(path) ?? []), ...more]),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export function problem(
  status: number,
  type: string,
  rest: object = {},
  headers: Record<string, string> = {},
): Fault {
  return (response) => {
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    json(response, status, { type: `urn:ietf:params:acme:error:${type}`, detail: `about ${type}`, ...rest });
  };
}

export function page(status: number, body: string, headers: Record<string, string> = {}): Fault {
  return (response) => {
    response.writeHead(status, { 'content-type': 'text/html', ...headers }).end(body);
  };
}

/** The connection breaks before an answer. */
export const reset: Fault = (response) => {
  response.socket?.destroy();
};

export const silence: Fault = () => {};

function json(response: ServerResponse, status: number, body: unknown): void {
  const type = status < 400 ? 'application/json' : 'application/problem+json';
  response.writeHead(status, { 'content-type': type }).end(JSON.stringify(body));
}

async function readRequest(request: IncomingMessage): Promise<SeenRequest> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  const jws = chunks.length === 0 ? {} : JSON.parse(Buffer.concat(chunks).toString());
  const decode = (part: string | undefined) =>
    part ? JSON.parse(Buffer.from(part, 'base64url').toString()) : undefined;
  return {
    method: request.method ?? '',
    path: request.url ?? '',
    headers: request.headers,
    protected: decode(jws.protected) ?? {},
    payload: decode(jws.payload),
  };
}

function usualDocuments(url: string): Record<string, unknown> {
  const order = {
    status: 'pending',
    expires: '2030-01-01T00:00:00Z',
    identifiers: [{ type: 'dns', value: 'a.example.com' }],
    authorizations: [`${url}/authz/1`],
    finalize: `${url}/finalize/1`,
  };
  const challenge = { type: 'http-01', url: `${url}/challenge/1`, status: 'pending', token: 'token-1' };
  return {
    '/dir': {
      newNonce: `${url}/nonce`,
      newAccount: `${url}/new-account`,
      newOrder: `${url}/new-order`,
      renewalInfo: `${url}/renewal-info`,
      meta: { caaIdentities: ['ca.example'], profiles: { classic: 'usual' } },
    },
    '/new-account': { status: 'valid' },
    '/account/1': { status: 'valid' },
    '/new-order': order,
    '/order/1': order,
    '/authz/1': {
      status: 'pending',
      identifier: { type: 'dns', value: 'a.example.com' },
      challenges: [challenge],
    },
    '/challenge/1': { ...challenge, status: 'processing' },
    '/finalize/1': { ...order, status: 'processing' },
  };
}
