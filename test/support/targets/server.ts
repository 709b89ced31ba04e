import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { deferred } from '../deferred.ts';
import { type Answer, type Incoming, match, type Route, respond } from '../vendors/server.ts';

/** What one call meets: a fault of the server, a connection that is cut before or after it acted, or no answer at all. */
export const faultKinds = ['5xx', 'reset-before', 'reset-after', 'hang'] as const;
export type FaultKind = (typeof faultKinds)[number];

export interface TargetServer {
  readonly url: string;
  /** Each request that came in, as `PUT /certificates/a`. */
  readonly calls: readonly string[];
  /** The call after so many more meets the fault, once; resolves when it is there. */
  faultAfter(calls: number, kind: FaultKind): { readonly met: Promise<void>; readonly hasMet: () => boolean };
  /** Every change is answered like this until it is undefined again. */
  refuse(answer: Answer | undefined): void;
  stop(): Promise<void>;
}

export interface TargetServerOptions {
  readonly routes: readonly Route[];
  isAuthorized?(request: Incoming): boolean;
  /** Over HTTPS with this certificate. */
  readonly tls?: { readonly cert: string; readonly key: string } | undefined;
}

/** A stateful stand-in for what certificates are deployed to over HTTP. */
export async function startTargetServer({
  routes,
  isAuthorized = () => true,
  tls,
}: TargetServerOptions): Promise<TargetServer> {
  const calls: string[] = [];
  const stopping = deferred();
  let planned: { at: number; kind: FaultKind; met: () => void } | undefined;
  let refusal: Answer | undefined;

  async function answer(request: Incoming): Promise<Answer | 'lost'> {
    calls.push(`${request.method} ${request.path}`);
    const fault = planned?.at === calls.length ? planned : undefined;
    fault?.met();
    if (fault?.kind === '5xx') return { status: 503, json: { message: 'a bad moment' } };
    if (fault?.kind === 'reset-before') return 'lost';
    if (fault?.kind === 'hang') {
      await stopping.promise;
      return 'lost';
    }
    if (!isAuthorized(request)) return { status: 401, json: { message: 'Unauthorized' } };
    if (refusal !== undefined && request.method !== 'GET') return refusal;
    const [hit] = routes.flatMap((route) => match(route, request));
    if (hit === undefined) return { status: 404, json: { message: 'Not found' } };
    const real = await hit.route.run({ ...request, params: hit.params });
    return fault?.kind === 'reset-after' ? 'lost' : real;
  }

  const listener: RequestListener = (message, response) => {
    respond(message, response, answer).catch((error) => response.destroy(error));
  };
  const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    faultAfter(more, kind) {
      const reached = deferred();
      let isMet = false;
      const met = () => {
        isMet = true;
        reached.resolve();
      };
      planned = { at: calls.length + more + 1, kind, met };
      return { met: reached.promise, hasMet: () => isMet };
    },
    refuse(wanted) {
      refusal = wanted;
    },
    async stop() {
      stopping.resolve();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
