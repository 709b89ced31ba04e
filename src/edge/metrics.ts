import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Log } from '../core/ports.ts';
import { listenAt, type Place, type Purpose } from './listen.ts';

export interface MetricsListener {
  /** Resolves with the port in use; rejects with `config.port` when it cannot be had. */
  listen(): Promise<{ readonly port: number }>;
  close(): Promise<void>;
}

export const metricsPurpose: Purpose = { usualPort: 9464, instead: 'choose another port for "metrics"' };

const requestMs = 10_000;
const mostConnections = 64;

/** Answers `GET /metrics` with what `text` gives, and nothing else. It asks for no password: for loopback addresses only. */
export function createMetricsListener(
  place: Place,
  { text, log }: { readonly text: () => Promise<string>; readonly log: Log },
): MetricsListener {
  const server = createServer({ headersTimeout: requestMs, requestTimeout: requestMs });
  server.maxConnections = mostConnections;
  server.on('request', answer);

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const isAsked = request.method === 'GET' && request.url?.split('?', 1)[0] === '/metrics';
    if (!isAsked) return reply(response, 404, 'Not found; metrics are at /metrics.\n');
    try {
      reply(response, 200, await text());
    } catch (err) {
      log.warn({ err }, 'metrics could not be read');
      reply(response, 503, 'Try again.\n');
    }
  }

  async function listen(): Promise<{ readonly port: number }> {
    const { port } = await listenAt(server, place, metricsPurpose);
    server.on('error', (err) => log.error({ err }, 'metrics listener failed'));
    log.info({ port, address: place.address }, 'answering /metrics');
    return { port };
  }

  async function close(): Promise<void> {
    if (!server.listening) return;
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  }

  return { listen, close };
}

function reply(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, {
    'content-type': 'text/plain; version=0.0.4; charset=utf-8',
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  });
  response.end(body);
}
