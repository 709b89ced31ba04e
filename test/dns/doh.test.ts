import { once } from 'node:events';
import { createServer } from 'node:http';
import { decode, encode } from 'dns-packet';
import { describe, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { createHttp } from '../../src/http.ts';
import { freePort } from '../support/ports.ts';
import type { ZoneStore } from '../support/zone-store.ts';
import { apex, bringIn, createStage, never, type Stage, untilReady, wish } from './stage.ts';

interface Resolver {
  readonly url: string;
  /** When each question came, and what it was. */
  readonly asked: { readonly at: number; readonly name: string; readonly type: string }[];
}

/** A resolver over HTTP that sees what `valuesOf` says; undefined: it is out of order. */
async function startResolver(valuesOf: (name: string) => readonly string[] | undefined): Promise<Resolver> {
  const asked: Resolver['asked'] = [];
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part);
    const { id = 0, questions = [] } = decode(Buffer.concat(parts));
    const [question] = questions;
    const isMessage =
      request.method === 'POST' && request.headers['content-type'] === 'application/dns-message';
    if (question === undefined || !isMessage) return response.writeHead(415).end();
    asked.push({ at: Date.now(), name: question.name, type: question.type });
    const values = valuesOf(question.name);
    if (values === undefined) return response.writeHead(503).end();
    const answers = values.map((data) => ({ name: question.name, type: 'TXT' as const, ttl: 30, data }));
    const message = encode({ type: 'response', id, questions: [question], answers });
    return response.writeHead(200, { 'content-type': 'application/dns-message' }).end(message);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close().closeAllConnections());
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  return { url: `http://127.0.0.1:${port}/dns-query`, asked };
}

function published(zones: ZoneStore): (name: string) => readonly string[] {
  return (name) => zones.published(name, 'TXT')?.values ?? [];
}

/** An agent that reaches the vendor, and of the DNS nothing but these resolvers. */
async function shutIn(stage: Stage, doh: readonly string[]) {
  const http = createHttp({ allowPrivate: [], clock: systemClock, userAgent: 'acme-agent-test' });
  onTestFinished(() => http.close());
  return stage.agent({ http, doh, account: { nameservers: [`127.0.0.1:${await freePort()}`] } });
}

async function timeOf(work: Promise<unknown>): Promise<number> {
  const began = Date.now();
  await work;
  return Date.now() - began;
}

function patient(typicalMs: number, publishDelayMs = 0) {
  const propagation = { signal: 'authoritative' as const, typicalMs, timeoutMs: 20_000 };
  return { publishDelayMs, traits: { propagation } };
}

describe('where no nameserver can be reached, resolvers over HTTPS', () => {
  test('say when the value shows, and are not asked before the typical delay: they would remember the no', async () => {
    const stage = await createStage(patient(500, 900));
    const resolvers = [
      await startResolver(published(stage.zones)),
      await startResolver(published(stage.zones)),
    ];
    const dns = await shutIn(
      stage,
      resolvers.map(({ url }) => url),
    );
    const began = Date.now();
    await bringIn(dns, [wish('example.test', 'value')]);

    expect(Date.now() - began).toBeGreaterThanOrEqual(900);
    for (const { asked } of resolvers) {
      expect(asked[0]).toMatchObject({ name: apex, type: 'TXT' });
      expect((asked[0]?.at ?? 0) - began).toBeGreaterThanOrEqual(500);
    }
  });

  test('must all show it', async () => {
    const stage = await createStage(patient(100));
    let late: readonly string[] = [];
    const [prompt, lagging] = [await startResolver(published(stage.zones)), await startResolver(() => late)];
    const dns = await shutIn(stage, [prompt.url, lagging.url]);
    const [id = ''] = await dns.present([wish('example.test', 'value')], never);
    while (lagging.asked.length < 1 || prompt.asked.length < 1)
      expect(await dns.ready(id, never)).not.toBe(true);
    late = ['value'];
    await untilReady(dns, [id]);
  });

  test('that do not see it hold the answer back for thrice the typical delay and no longer', async () => {
    const stage = await createStage(patient(300));
    const blind = await startResolver(() => []);
    const dns = await shutIn(stage, [blind.url]);
    const ms = await timeOf(bringIn(dns, [wish('example.test', 'value')]));
    expect(ms).toBeGreaterThanOrEqual(900);
    expect(blind.asked.length).toBeGreaterThan(1);
  });

  test('that are out of order leave it to the typical delay', async () => {
    const stage = await createStage(patient(300));
    const broken = await startResolver(() => undefined);
    const dns = await shutIn(stage, [broken.url, `http://127.0.0.1:${await freePort()}/dns-query`]);
    const ms = await timeOf(bringIn(dns, [wish('example.test', 'value')]));
    expect(ms).toBeGreaterThanOrEqual(300);
    expect(broken.asked).toHaveLength(1);
  });
});

test('no resolver over HTTPS hears of a name whose nameservers answer', async () => {
  const stage = await createStage({ publishDelayMs: 300 });
  const resolver = await startResolver(published(stage.zones));
  const http = createHttp({ allowPrivate: [], clock: systemClock, userAgent: 'acme-agent-test' });
  onTestFinished(() => http.close());
  await bringIn(stage.agent({ http, doh: [resolver.url] }), [wish('example.test', 'value')]);
  expect(resolver.asked).toEqual([]);
});
