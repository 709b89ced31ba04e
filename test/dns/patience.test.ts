import { describe, expect, onTestFinished, test } from 'vitest';
import { route53 } from '../../providers/route53.ts';
import { systemClock } from '../../src/clock.ts';
import { AgentError } from '../../src/core/errors.ts';
import type { Clock } from '../../src/core/ports.ts';
import type { Dns } from '../../src/dns/index.ts';
import { createPluginContext } from '../support/plugin-context.ts';
import { startRoute53 } from '../support/route53.ts';
import { apex, createStage, errorOf, never, until, untilReady, wish } from './stage.ts';

/** Whoever waits sleeps a hundredth as long. */
const hurried: Clock = { ...systemClock, sleep: (ms, signal) => systemClock.sleep(ms / 100, signal) };
/** A moment's patience is shorter, too; nothing else in the engine has such lengths. */
const impatient: Clock = {
  ...hurried,
  after: (ms, run) => systemClock.after(ms > 3000 && ms <= 5000 ? 50 : ms, run),
};

/** Time goes twenty times as fast, but for deadlines. */
const began = Date.now();
const racing: Clock = {
  now: () => Math.round(began + 20 * (Date.now() - began)),
  sleep: (ms, signal) => systemClock.sleep(ms / 20, signal),
  after: systemClock.after,
};

describe('a vendor that always says that it is at an earlier change', () => {
  test('is asked six times in a flight, by one layer alone, and holds no order: that comes back', async () => {
    const emulator = await startRoute53({ zones: [{ name: 'example.test', id: 'ZEXAMPLE' }] });
    onTestFinished(() => emulator.stop());
    const { endpoint, accessKeyId, dnsAddress } = emulator;
    const options = route53.options.parse({ endpoint, accessKeyId, secretAccessKey: 'of the emulator' });
    const provider = await route53.create(options, createPluginContext('aws'));
    const { agent } = await createStage();
    const nameservers = [`${dnsAddress.address}:${dnsAddress.port}`];
    const dns = agent({ clock: hurried, account: { provider, nameservers } });
    emulator.inject({ operation: 'change', status: 400, code: 'PriorRequestNotComplete', times: 6 });

    const ids = await dns.present([wish('example.test', 'value')], never);
    const [id = ''] = ids;
    const before = Date.now();
    const answer = await dns.ready(id, never);
    expect(answer).toEqual({ checkAgainAt: expect.any(Number) });
    expect((answer === true ? 0 : answer.checkAgainAt) - before).toBeGreaterThanOrEqual(1000);
    expect(emulator.calls.change).toBe(6);

    await untilReady(dns, ids);
    expect(emulator.calls.change).toBe(7);
    expect(emulator.zoneStore.txt(apex)).toEqual(['value']);
  });

  test('fails the order in the end, with what it said', async () => {
    const { agent, vendor } = await createStage();
    let hours = 0;
    const clock: Clock = { ...hurried, now: () => Date.now() + hours * 3_600_000 };
    for (let count = 0; count < 20; count++)
      vendor.faults.push(new AgentError('provider.conflict', 'an earlier change is not complete'));
    const dns = agent({ clock });
    const leaseUntil = Date.now() + 86_400_000;
    const [id = ''] = await dns.present([wish('example.test', 'value', { leaseUntil })], never);
    expect(await dns.ready(id, never)).toEqual({ checkAgainAt: expect.any(Number) });
    hours = 1;
    expect(await errorOf(dns.ready(id, never))).toMatchObject({
      code: 'provider.conflict',
      message: 'an earlier change is not complete',
    });
  });
});

describe('a call that takes long', () => {
  test('is waited for once: further looks come back at once, and seldomer', async () => {
    const { agent, vendor, zones } = await createStage();
    let release = () => {};
    vendor.afterChange = () =>
      new Promise((resolve) => {
        release = resolve;
      });
    const dns = agent({ clock: impatient });
    const [id = ''] = await presentAtLast(dns);
    expect(await dns.ready(id, never)).not.toBe(true);
    await until(() => zones.txt(apex).length === 1);

    const before = Date.now();
    for (let look = 0; look < 20; look++) {
      const answer = await dns.ready(id, never);
      expect(answer === true ? 0 : answer.checkAgainAt).toBeGreaterThanOrEqual(before + 1000);
    }
    release();
    await untilReady(dns, [id]);
    expect(zones.txt(apex)).toEqual(['value']);
    expect(vendor.calls).toHaveLength(1);
  });

  test('about whether a value is live holds nobody; what it says in the end is found by the next look', async () => {
    const { agent, vendor } = await createStage({
      traits: { propagation: { signal: 'api', typicalMs: 10, timeoutMs: 60_000 } },
    });
    let say = (_live: boolean) => {};
    let asked = 0;
    const live = () => {
      asked += 1;
      return new Promise<boolean>((resolve) => {
        say = resolve;
      });
    };
    const dns = agent({ clock: impatient, account: { provider: { ...vendor.provider, live } } });
    const [id = ''] = await presentAtLast(dns);
    while (asked === 0) expect(await dns.ready(id, never)).not.toBe(true);
    expect(await dns.ready(id, never)).toMatchObject({ checkAgainAt: expect.any(Number) });
    say(true);
    await untilReady(dns, [id]);
    expect(asked).toBe(1);
  });

  test('of a vendor that complains without saying until when: nobody calls sooner, and the error says when', async () => {
    const { agent, vendor } = await createStage();
    for (let count = 0; count < 6; count++)
      vendor.faults.push(new AgentError('provider.throttled', 'too many requests'));
    const dns = agent({ clock: racing });
    const leaseUntil = racing.now() + 86_400_000;
    const [id = ''] = await dns.present([wish('example.test', 'value', { leaseUntil })], never);
    const answer = await dns.ready(id, never);
    expect(answer === true ? 0 : answer.checkAgainAt).toBeGreaterThan(racing.now() + 10_000);
    expect(vendor.calls).toHaveLength(6);
  });
});

describe('a search for the zone that takes long', () => {
  async function createSlow() {
    const stage = await createStage({ findsZones: true });
    let answer: (found: { name: string } | AgentError) => void = () => {};
    const findZone = (name: string) => {
      stage.vendor.searches.push(name);
      return new Promise<{ name: string }>((resolve, reject) => {
        answer = (found) => (found instanceof AgentError ? reject(found) : resolve(found));
      });
    };
    const dns = stage.agent({
      clock: impatient,
      account: { provider: { ...stage.vendor.provider, findZone } },
    });
    const present = () => dns.present([wish('example.test', 'value')], never);
    expect(await errorOf(present())).toMatchObject({
      code: 'provider.throttled',
      retryAt: expect.any(Number),
      message: expect.stringMatching(/^it takes long to find the zone of _acme-challenge\.example\.test/),
    });
    await until(() => stage.vendor.searches.length === 1);
    return { ...stage, dns, present, answer: (found: { name: string } | AgentError) => answer(found) };
  }

  test('goes on by itself; whoever comes back finds what it found', async () => {
    const { present, answer, dns, vendor } = await createSlow();
    expect(await errorOf(present())).toMatchObject({ code: 'provider.throttled' });
    answer({ name: 'example.test' });
    await untilReady(dns, await presentAtLast(dns));
    expect(vendor.searches).toEqual(['example.test']);
  });

  test('and fails while nobody waits for it: whoever comes back hears why', async () => {
    const { present, answer } = await createSlow();
    answer(new AgentError('provider.auth', 'the token is not valid'));
    expect(await errorOf(present())).toMatchObject({ code: 'provider.auth' });
  });
});

/** On a busy machine even the search for the zone takes longer than such a short patience. */
async function presentAtLast(dns: Dns): Promise<readonly string[]> {
  for (;;) {
    const presented = dns.present([wish('example.test', 'value')], never);
    const error = await errorOf(presented);
    if (error === undefined) return presented;
    expect(error).toMatchObject({ code: 'provider.throttled' });
  }
}
