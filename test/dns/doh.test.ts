import { once } from 'node:events';
import { createServer } from 'node:http';
import { decode, encode } from 'dns-packet';
import { describe, expect, onTestFinished, test } from 'vitest';
import { manual } from '../../providers/manual.ts';
import { systemClock } from '../../src/clock.ts';
import type { DnsAccount } from '../../src/dns/index.ts';
import { createHttp } from '../../src/http.ts';
import { createPluginContext } from '../support/plugin-context.ts';
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
async function shutIn(stage: Stage, doh: readonly string[], account: Partial<DnsAccount> = {}) {
  const http = createHttp({ allowPrivate: [], clock: systemClock, userAgent: 'acme-agent-test' });
  onTestFinished(() => http.close());
  return stage.agent({ http, doh, account: { ...account, nameservers: [`127.0.0.1:${await freePort()}`] } });
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
    // Longer than a busy machine takes to ask, thrice: after that nobody need see it.
    const stage = await createStage(patient(1000));
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

  test('that nobody could ask teach nothing of the zone: nobody saw the value', async () => {
    const stage = await createStage(patient(50));
    const dns = await shutIn(stage, [(await startResolver(() => undefined)).url]);
    for (const value of ['a', 'b', 'c', 'd', 'e']) await bringIn(dns, [wish('example.test', value)]);
    const learned = await stage.memory.pluginState('dns engine').get('propagation/main/example.test');
    expect(learned).toBeUndefined();
  });

  test('that see the value teach how long the zone takes', async () => {
    const stage = await createStage(patient(50));
    const dns = await shutIn(stage, [(await startResolver(published(stage.zones))).url]);
    await bringIn(dns, [wish('example.test', 'value')]);
    const learned = await stage.memory.pluginState('dns engine').get('propagation/main/example.test');
    expect(JSON.parse(learned ?? '[]')).toHaveLength(1);
  });

  test('must all show what a person adds, and one at least', async () => {
    const stage = await createStage();
    const provider = await manual.create({}, createPluginContext('person'));
    const answers = { one: [] as string[] | undefined, other: [] as string[] | undefined };
    const resolvers = [await startResolver(() => answers.one), await startResolver(() => answers.other)];
    const doh = resolvers.map(({ url }) => url);
    const dns = await shutIn(stage, doh, { provider });
    const usefulUntil = Date.now() + 6 * 86_400_000;
    const [id = ''] = await dns.present([wish('example.test', 'value', { usefulUntil })], never);
    const isReady = async () => (await dns.ready(id, never)) === true;
    expect(await isReady()).toBe(false);
    answers.one = ['value'];
    expect(await isReady()).toBe(false);
    Object.assign(answers, { one: undefined, other: undefined });
    expect(await isReady()).toBe(false);
    answers.other = ['value'];
    expect(await isReady()).toBe(true);
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
