import { beforeEach, describe, expect, it } from 'vitest';
import { AgentError } from '../../../src/core/errors.ts';
import { editRenewal } from '../../../src/core/records.ts';
import { changeWishes } from '../../../src/core/wishes/reconcile.ts';
import { failing } from '../gate.ts';
import { aHost, day, hour, minute } from '../given.ts';
import { type CheapWorld, openCheapWorld, www } from '../world.ts';

let world: CheapWorld;

beforeEach(() => {
  world = openCheapWorld();
});

const letsEncrypt = 'https://acme-v02.api.letsencrypt.org/directory';
const group = 'example.com/shop/ec';

async function wantGroup(count: number, change: Parameters<CheapWorld['want']>[0] = {}): Promise<void> {
  await world.want({ mode: 'custom', issuers: ['first'], ...change }, []);
  const names = Array.from({ length: count }, (_, index) => `h${index}.example.com`);
  const putGroups = [{ domain: 'example.com', label: 'shop', names, origin: { kind: 'runtime' as const } }];
  await world.run(changeWishes('example.com', () => ({ putGroups }), world.needs));
}

describe('a change of wishes that meets a job at its writing', () => {
  it('is made again with what the job wrote, and loses neither', async () => {
    await world.want({ issuers: ['first'] });
    world.gate.once('changes.commit', async (proceed) => {
      await editRenewal(www, world.store, (state) => ({
        putRenewals: [{ ...state, failures: 7, requested: { at: world.clock.now(), force: true } }],
      }));
      return proceed();
    });
    const putHosts = [aHost('new.example.com')];
    const request = { policies: ['example.com/www.example.com'], force: false };
    const done = changeWishes('example.com', () => ({ putHosts, request }), world.needs);
    await world.run(done);
    expect(await world.store.wishes.host('new.example.com')).toBeDefined();
    expect(await world.store.renewals.get(www)).toMatchObject({ failures: 7, requested: { force: true } });
    expect((await done).wanted).toHaveLength(2);
  });
});

describe('a wish that goes back to what is held', () => {
  it('holds nothing against an issuer that failed for the other wish', async () => {
    await wantGroup(1);
    await world.work();
    world.gate.always('first.newOrder', failing(new AgentError('acme.server', 'the CA answers 503')));
    await wantGroup(2);
    await world.live(5 * minute);
    expect((await world.store.renewals.get(group)).issuerFailures).toEqual({ first: 2 });
    await wantGroup(1);
    await world.work();
    expect((await world.store.renewals.get(group)).issuerFailures).toEqual({});
  });

  it('as an advice that the CA takes back does, forgets for how long an issuer was to be left alone', async () => {
    await world.want({ issuers: ['first'] });
    await world.live(10 * day);
    const advise = (from: number) => () => {
      const start = world.clock.now() + from;
      return { start, end: start + hour, retryAfterMs: hour };
    };
    world.first.ways.advice = advise(-day);
    world.gate.always('first.newOrder', failing(new AgentError('acme.account', 'the account is closed')));
    await world.live(7 * hour);
    expect((await world.store.renewals.get(www)).blocked).toHaveProperty('first');
    world.first.ways.advice = advise(60 * day);
    await world.live(day + hour);
    const { failures, blocked, issuerFailures } = await world.store.renewals.get(www);
    expect({ failures, blocked, issuerFailures }).toEqual({
      failures: 0,
      blocked: undefined,
      issuerFailures: {},
    });
  });
});

describe('a certificate replaced while young', () => {
  it('on the advice of the CA is a hurry; because a person asked, or the wish changed, it is none', async () => {
    const window = { retryAfterMs: 6 * hour };
    const late = () => ({
      ...window,
      start: world.clock.now() + 60 * day,
      end: world.clock.now() + 61 * day,
    });
    world.first.ways.advice = late;
    await world.want({ issuers: ['first'] });
    await world.live(hour);
    await world.ask(true);
    await world.work();
    expect((await world.store.renewals.get(www)).hurriedAt).toBeUndefined();
    await world.live(hour);
    await world.want({ issuers: ['first'], keyTypes: ['p384'] });
    await world.work();
    expect(world.first.orders).toHaveLength(3);
    expect((await world.store.renewals.get(www)).hurriedAt).toBeUndefined();
    world.first.ways.advice = () => ({ ...window, start: 1, end: 2 });
    await world.live(5 * minute);
    expect(world.first.orders).toHaveLength(4);
    expect((await world.store.renewals.get(www)).hurriedAt).toBeDefined();
  });
});

describe('a profile whose certificates have no room for all the names', () => {
  beforeEach(() => {
    const second = { directoryUrl: 'https://ca.internal/dir', mark: 'm' };
    world.settings.issuerFacts = { first: { directoryUrl: letsEncrypt, mark: 'm' }, second };
    world.first.ways.profiles = ['classic', 'tlsserver'];
  });

  it('is left out of the order where it is only preferred', async () => {
    await wantGroup(26, { profile: { name: 'tlsserver', required: false } });
    await world.work();
    expect(world.first.orders.map(({ asked }) => asked.profile)).toEqual([undefined]);
    await world.live(10 * day);
    expect(world.first.orders).toHaveLength(1);
  });

  it('is ordered where they fit', async () => {
    await wantGroup(25, { profile: { name: 'tlsserver', required: false } });
    await world.work();
    expect(world.first.orders.map(({ asked }) => asked.profile)).toEqual(['tlsserver']);
  });

  it('stops the order where it is required, and people read what to do', async () => {
    await wantGroup(26, { profile: { name: 'tlsserver', required: true } });
    await world.work();
    expect(world.first.orders).toEqual([]);
    const { lastFailure, reminders } = await world.store.renewals.get(group);
    expect(lastFailure?.message).toContain('at most 25 names');
    expect(reminders.toldAt).toBeDefined();
  });
});
