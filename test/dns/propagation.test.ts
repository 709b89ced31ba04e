import { setTimeout as pause } from 'node:timers/promises';
import { encode } from 'dns-packet';
import { describe, expect, onTestFinished, test } from 'vitest';
import { startDnsFront } from '../support/dns-front.ts';
import { freePort } from '../support/ports.ts';
import { createZoneStore } from '../support/zone-store.ts';
import { apex, createStage, errorOf, never, startServer, untilReady, wish } from './stage.ts';

/** A second nameserver of the zone that knows nothing of the vendor. */
async function startSecondary(values: readonly string[] = []) {
  const zones = createZoneStore();
  zones.addZone('example.test');
  await zones.write('example.test', [{ name: apex, type: 'TXT', ttl: 30, values }]);
  const front = await startDnsFront(zones);
  onTestFinished(() => front.stop());
  return { zones, address: `127.0.0.1:${front.port}` };
}

describe('authoritative servers', () => {
  test('are waited for until they show the value', async () => {
    const { agent, zones } = await createStage({ publishDelayMs: 400 });
    const dns = agent();
    const [id = ''] = await dns.present([wish('example.test', 'value')], never);

    expect(await dns.ready(id, never)).toMatchObject({ checkAgainAt: expect.any(Number) });
    await untilReady(dns, [id]);
    expect(zones.published(apex, 'TXT')?.values).toEqual(['value']);
  });

  test('C11 must all show it: one that lags holds the answer back', async () => {
    const { agent, front } = await createStage();
    const secondary = await startSecondary(['old']);
    const nameservers = [`127.0.0.1:${front.port}`, secondary.address];
    const dns = agent({ account: { nameservers } });
    const ids = await dns.present([wish('example.test', 'value')], never);
    let shown = false;
    const ready = untilReady(dns, ids).then(() => {
      shown = true;
    });
    while (front.queries.filter((query) => query.startsWith(`${apex} TXT`)).length < 3)
      await new Promise((resolve) => setTimeout(resolve, 10));
    expect(shown).toBe(false);

    const sets = [{ name: apex, type: 'TXT' as const, ttl: 30, values: ['old', 'value'] }];
    await secondary.zones.write('example.test', sets);
    await ready;
  });

  test('may be dead, up to half of them', async () => {
    const { agent, front } = await createStage();
    const nameservers = [`127.0.0.1:${front.port}`, `127.0.0.1:${await freePort()}`];
    const dns = agent({ account: { nameservers } });
    await untilReady(dns, await dns.present([wish('example.test', 'value')], never));
  });

  test('may be lame: an answer without authority counts as none', async () => {
    const lame = await startServer((id, question) =>
      encode({ type: 'response', id, questions: [question], answers: [] }),
    );
    const { agent, front } = await createStage();
    const dns = agent({ account: { nameservers: [`127.0.0.1:${front.port}`, lame] } });
    await untilReady(dns, await dns.present([wish('example.test', 'value')], never));
  });

  test('of which more than half are dead are not enough; the error names them', async () => {
    const dead = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`];
    const { agent, front } = await createStage({
      traits: { propagation: { signal: 'authoritative', typicalMs: 10, timeoutMs: 600 } },
    });
    const dns = agent({ account: { nameservers: [`127.0.0.1:${front.port}`, ...dead] } });
    const ids = await dns.present([wish('example.test', 'value')], never);

    const error = await errorOf(untilReady(dns, ids));
    expect(error).toMatchObject({
      code: 'dns.propagation',
      message: expect.stringContaining(`no answer with authority from ${dead.join(', ')}`),
    });
  });

  test('that cannot be reached at all are replaced by the typical delay of the vendor', async () => {
    const { agent } = await createStage({
      traits: { propagation: { signal: 'authoritative', typicalMs: 500, timeoutMs: 20_000 } },
    });
    const dns = agent({ account: { nameservers: [`127.0.0.1:${await freePort()}`] } });
    const began = Date.now();
    await untilReady(dns, await dns.present([wish('example.test', 'value')], never));
    expect(Date.now() - began).toBeGreaterThanOrEqual(500);
  });

  test('are those that the NS records lead to', async () => {
    const zone = [{ name: 'example.test', type: 'NS' as const, ttl: 60, values: ['ns.away.test'] }];
    const { agent, front } = await createStage({ zones: { 'example.test': zone, 'away.test': [] } });
    const dns = agent({ account: { nameservers: [] } });
    await untilReady(dns, await dns.present([wish('example.test', 'value')], never));

    expect(front.queries).toContain('example.test NS udp');
    expect(front.queries).toContain('ns.away.test A udp');
    expect(front.queries).toContain('ns.away.test AAAA udp');
  });

  test('are given up when the time limit of the vendor is over', async () => {
    const { agent } = await createStage({
      publishDelayMs: 60_000,
      traits: { propagation: { signal: 'authoritative', typicalMs: 10, timeoutMs: 300 } },
    });
    const dns = agent();
    const ids = await dns.present([wish('example.test', 'value')], never);
    expect(await errorOf(untilReady(dns, ids))).toMatchObject({ code: 'dns.propagation' });
  });

  test('can be asked by an agent that did not present', async () => {
    const { agent } = await createStage();
    const ids = await agent().present([wish('example.test', 'value')], never);
    await untilReady(agent(), ids);
  });
});

describe('the word of the vendor', () => {
  test('is enough where its trait says so, and no server is asked', async () => {
    let inSync = false;
    const { agent, front } = await createStage({
      publishDelayMs: 60_000,
      traits: { propagation: { signal: 'api', typicalMs: 10, timeoutMs: 20_000 } },
      live: () => inSync,
    });
    const dns = agent();
    const [id = ''] = await dns.present([wish('example.test', 'value')], never);
    expect(await dns.ready(id, never)).not.toBe(true);
    inSync = true;
    await untilReady(dns, [id]);
    expect(front.queries.filter((query) => query.includes(' TXT '))).toEqual([]);
  });

  test('counts in its limits', async () => {
    const { agent } = await createStage({
      traits: {
        propagation: { signal: 'api', typicalMs: 10, timeoutMs: 20_000 },
        rate: [{ bucket: 'account', perSecond: 0.05, burst: 2, costOf: 'call' }],
      },
      live: () => false,
    });
    const dns = agent();
    const [id = ''] = await dns.present([wish('example.test', 'value')], never);
    const waits: number[] = [];
    while (waits.length < 2) {
      const ready = await dns.ready(id, never);
      const waitMs = ready === true ? 0 : ready.checkAgainAt - Date.now();
      waits.push(waitMs);
      if (waits.length < 2) await pause(waitMs);
    }
    // The add and the first question took both tokens; the next comes after twenty seconds.
    expect(waits[0]).toBeLessThan(500);
    expect(waits[1]).toBeGreaterThan(1000);
  });
});

test('a vendor that is known by its delay only is given that delay', async () => {
  const { agent, front } = await createStage({
    traits: { propagation: { signal: 'delay', typicalMs: 400, timeoutMs: 20_000 } },
  });
  const dns = agent();
  const began = Date.now();
  await untilReady(dns, await dns.present([wish('example.test', 'value')], never));
  expect(Date.now() - began).toBeGreaterThanOrEqual(400);
  expect(front.queries.filter((query) => query.includes(' TXT '))).toEqual([]);
});
