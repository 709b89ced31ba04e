import { beforeEach, describe, expect, it } from 'vitest';
import { AgentError, type ErrorCode, errorTable } from '../../src/core/errors.ts';
import { failing } from '../core/gate.ts';
import { day, hour, minute, t0 } from '../core/given.ts';
import { type CheapWorld, openCheapWorld, www } from '../core/world.ts';

let world: CheapWorld;

beforeEach(() => {
  world = openCheapWorld();
});

const generation = async () => (await world.store.certificates.certificate(www))?.generation;
const idOf = (host: string) => `example.com/${host}/ec`;
const wrongAnswer = () => ({ type: 'unauthorized', detail: 'somebody else answered' });

async function held(): Promise<void> {
  await world.want({ issuers: ['first'] });
  await world.live(10 * minute);
  expect(await generation()).toBe(1);
}

describe('a certificate', () => {
  it('that expired while nothing ran is renewed by the first look after that', async () => {
    await held();
    await world.pass(200 * day);
    await world.work();
    expect(await generation()).toBe(2);
    expect(world.web.shows(www)?.certificate.generation).toBe(2);
  });

  it('whose every wake-up gets lost is issued, deployed and renewed all the same, by what is due', async () => {
    world.gate.always('jobs.wake', async () => undefined);
    await held();
    const { renewAt = 0 } = await world.store.renewals.get(www);
    await world.live(renewAt + 10 * minute - world.clock.now());
    expect(await generation()).toBe(2);
    expect(world.web.shows(www)?.certificate.generation).toBe(2);
  });

  it('whose renewals fail past its expiry is never reported as renewed, and is tried on each day', async () => {
    await held();
    world.first.ways.verdict = wrongAnswer;
    await world.live(100 * day);
    const issued = await world.events('certificate.issued', www);
    expect(issued).toHaveLength(1);
    const { failures, retryAt = 0 } = await world.store.renewals.get(www);
    expect(failures).toBeGreaterThan(30);
    expect(retryAt - world.clock.now()).toBeLessThan(1.2 * day);
    const orders = world.first.orders.length;
    await world.live(10 * day);
    expect(world.first.orders.length - orders).toBeGreaterThanOrEqual(9);
    expect(world.first.orders.length - orders).toBeLessThanOrEqual(11);
    world.first.ways.verdict = () => undefined;
    await world.live(1.2 * day);
    expect(await generation()).toBe(2);
  });

  it('that the CA hands out a second time is no renewal', async () => {
    await held();
    const [old] = world.first.orders;
    world.gate.once('first.certificate', async () => old?.pem);
    await world.ask(true);
    await world.work();
    expect(await generation()).toBe(1);
    expect((await world.store.renewals.get(www)).lastFailure).toMatchObject({ code: 'order.certificate' });
    expect(await world.events('certificate.issued', www)).toHaveLength(1);
  });

  it('that the store did not keep is not reported as issued, and is stored by the next attempt', async () => {
    let isLost = false;
    world.gate.always('changes.commit', async (proceed, [change]) => {
      const isIt = !isLost && (change as { generation?: unknown }).generation !== undefined;
      isLost ||= isIt;
      return isIt ? undefined : proceed();
    });
    await world.want({ issuers: ['first'] });
    await world.work();
    expect(isLost).toBe(true);
    expect(await world.events('certificate.issued', www)).toEqual([]);
    expect((await world.store.renewals.get(www)).failures).toBe(1);
    await world.live(5 * minute);
    expect(await generation()).toBe(1);
    expect(world.first.finalized()).toHaveLength(1);
  });
});

describe('a renewal by the clock and one that somebody asked for', () => {
  it('do the same: both are stored, deployed and told', async () => {
    await held();
    const steps = async (renewal: () => Promise<unknown>) => {
      const from = world.gate.calls.length;
      await renewal();
      const wanted = ['first.newOrder', 'first.finalize', 'first.certificate', 'web.deploy', 'jobs.wake'];
      return wanted.filter((call) => world.gate.calls.slice(from).includes(call));
    };
    const asked = await steps(async () => {
      await world.ask(true);
      await world.work();
    });
    const { renewAt = 0 } = await world.store.renewals.get(www);
    const due = await steps(() => world.live(renewAt + minute - world.clock.now()));
    expect(due).toEqual(asked);
    expect(due).toHaveLength(5);
    const reasons = (await world.events('certificate.issued', www)).map(({ facts }) => facts.reason);
    expect(reasons).toEqual(['missing', 'requested', 'due']);
    expect(world.web.history.filter(({ certificate }) => certificate.source === 'acme')).toHaveLength(3);
  });
});

describe('one host that fails in a way nobody foresaw', () => {
  const hosts = ['a.example.com', 'b.example.com', 'c.example.com'];

  it('keeps no other from its certificate, and is tried again', async () => {
    world.gate.always('first.newOrder', async (proceed, [order]) => {
      const { names } = order as { readonly names: readonly string[] };
      if (names.includes('a.example.com')) throw new TypeError('cannot read properties of undefined');
      return proceed();
    });
    await world.want({ issuers: ['first'] }, hosts);
    await world.live(hour);
    const found = await world.store.certificates.currents(hosts.map(idOf));
    expect(found.map((one) => one?.generation)).toEqual([undefined, 1, 1]);
    const state = await world.store.renewals.get(idOf('a.example.com'));
    expect(state.lastFailure).toMatchObject({ code: 'bug' });
    expect(state.failures).toBe(3);
    world.gate.always('first.newOrder', undefined);
    await world.live(2 * hour);
    expect(await world.store.certificates.certificate(idOf('a.example.com'))).toBeDefined();
  });
});

/** What an order can meet; the others belong to deployments, notifiers, commands and the start. */
const met = (Object.keys(errorTable) as ErrorCode[]).filter(
  (code) =>
    /^(acme|order|challenge|dns|provider|net)\./.test(code) ||
    ['bug', 'config.plugin', 'config.port'].includes(code),
);

describe('a failure that nobody hears of for days', () => {
  it.each(met)('is none: of %s people hear within a day, and it is still tried', async (code) => {
    world.gate.always('first.newOrder', failing(new AgentError(code, 'it does not work')));
    await world.want({ issuers: ['first'] });
    await world.live(day + hour);
    const { reminders, failingSince, retryAt = 0 } = await world.store.renewals.get(www);
    expect(failingSince).toBeDefined();
    expect(reminders.toldAt).toBeLessThan(t0 + 3 * hour);
    expect(await world.events('certificate.reminder', www)).not.toEqual([]);
    expect(await world.store.due.at('issue', www)).toBe(retryAt);
    expect(retryAt).toBeLessThanOrEqual(world.clock.now() + 8 * day);
  });

  it('is none: a reminder that was due while nothing ran comes with the first look after that', async () => {
    world.first.ways.verdict = wrongAnswer;
    await world.want({ issuers: ['first'] });
    await world.live(1.5 * day);
    expect(await world.events('certificate.reminder', www)).toHaveLength(1);
    await world.pass(3 * day + 5 * hour);
    await world.work();
    expect(await world.events('certificate.reminder', www)).toHaveLength(2);
  });
});
