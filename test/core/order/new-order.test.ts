import { describe, expect, it } from 'vitest';
import { AgentError } from '../../../src/core/errors.ts';
import { eachWorld } from '../each-world.ts';
import { failing, losingAnswer } from '../gate.ts';
import { day, minute, t0 } from '../given.ts';
import { problemError } from '../scripted-ca.ts';
import { type World, www } from '../world.ts';

let world: World;

eachWorld((opened) => {
  world = opened;
});

const network = new AgentError('acme.network', 'the connection broke');

async function held() {
  return world.store.certificates.certificate(www);
}

describe('the profile', () => {
  const wish = (required: boolean) => ({ profile: { name: 'tlsserver', required } });

  it('is ordered where the CA has it', async () => {
    await world.want(wish(true));
    world.first.ways.profiles = ['classic', 'tlsserver'];
    await world.renew();
    expect(world.first.orders.map(({ asked }) => asked.profile)).toEqual(['tlsserver']);
  });

  it('that is preferred is left out where the CA lacks it, and is not ordered again each tick', async () => {
    await world.want(wish(false));
    world.first.ways.profiles = ['classic'];
    await world.live(day);
    expect(world.first.orders.map(({ asked }) => asked.profile)).toEqual([undefined]);
    expect(await held()).toBeDefined();
  });

  it('that is required sends the order to the next CA, and the cause says what the first one offers', async () => {
    await world.want(wish(true));
    world.first.ways.profiles = ['classic'];
    world.second.ways.profiles = ['tlsserver'];
    await world.live(minute);
    expect(world.first.orders).toEqual([]);
    expect(await held()).toMatchObject({ issuer: 'second' });
    const [failed] = await world.events('certificate.failed');
    expect(failed?.facts.message).toBe('first has no profile "tlsserver"; it offers classic');
  });
});

describe('"replaces"', () => {
  async function renewed(): Promise<void> {
    await world.want();
    await world.renew();
    await world.ask(true);
    await world.renew();
  }

  it('names the predecessor of the same account', async () => {
    await renewed();
    const [before, after] = world.first.orders;
    expect(before?.asked.replaces).toBeUndefined();
    expect(after?.asked.replaces).toBe((await world.store.certificates.certificate(www, 1))?.ariCertId);
    expect(after?.asked.replaces).toMatch(/^[\w-]+\.[\w-]+$/);
  });

  it('is left out at a CA without renewal information', async () => {
    world.first.ways.hasRenewalInfo = false;
    await renewed();
    expect(world.first.orders.map(({ asked }) => asked.replaces)).toEqual([undefined, undefined]);
  });

  it('that is refused is left out in one more order, which succeeds', async () => {
    await world.want();
    await world.renew();
    world.gate.once(
      'first.newOrder',
      failing(problemError({ type: 'malformed', detail: 'no such cert' }, 404)),
    );
    await world.ask(true);
    await world.renew();
    expect(await held()).toMatchObject({ generation: 2 });
    expect(world.first.orders[1]?.asked.replaces).toBeUndefined();
    expect((await world.store.renewals.get(www)).failures).toBe(0);
  });

  it('that another order took (its answer was lost) is left out', async () => {
    await world.want();
    await world.renew();
    world.gate.once('first.newOrder', losingAnswer(network));
    await world.live(65 * day);
    expect(await held()).toMatchObject({ generation: 2 });
    expect(world.first.orders.map(({ asked }) => asked.replaces !== undefined)).toEqual([false, true, false]);
    expect(world.first.finalized()).toHaveLength(2);
  });

  it('is not dropped for a rate limit', async () => {
    await world.want();
    await world.renew();
    world.gate.once('first.newOrder', failing(problemError({ type: 'rateLimited' }, 429, t0 + minute)));
    await world.ask(true);
    await world.renew();
    expect(world.gate.calls.filter((call) => call === 'first.newOrder')).toHaveLength(2);
    expect((await world.store.renewals.get(www)).lastFailure).toMatchObject({ code: 'acme.rateLimited' });
  });
});

describe('a store that is away for a moment when the CA has made an order', () => {
  const away = new AgentError('store.unavailable', 'Redis is away');

  it('is waited for with its URL, and no second order is made', async () => {
    await world.want();
    world.gate.once('first.newOrder', async (proceed) => {
      const order = await proceed();
      for (let tries = 0; tries < 3; tries++) world.gate.once('changes.commit', failing(away));
      return order;
    });
    await world.renew();
    expect(world.first.orders).toHaveLength(1);
    expect(await held()).toMatchObject({ generation: 1 });
  });
});

describe('an order under way', () => {
  it('that the CA does not have any more, whatever page says so, is made anew at the next attempt', async () => {
    world.first.ways.validationMs = 20 * minute;
    await world.want({ issuers: ['first'] });
    await world.work();
    const gone = new AgentError('acme.response', 'answered with HTTP 404', { facts: { status: 404 } });
    world.gate.always('first.order', async (proceed, [url]) => {
      if (url === world.first.orders[0]?.url) throw gone;
      return proceed();
    });
    world.first.ways.validationMs = 40;
    await world.live(15 * minute);
    expect(world.first.orders).toHaveLength(2);
    expect(await held()).toBeDefined();
  });

  it('is not given up for authorizations that have expired by a clock of ours that stands ahead', async () => {
    world.gate.always('first.authorization', async (proceed) => ({
      ...((await proceed()) as object),
      expires: world.clock.now() - minute,
    }));
    world.first.ways.validationMs = 3 * minute;
    await world.want({ issuers: ['first'] });
    await world.live(6 * minute);
    expect(world.first.orders).toHaveLength(1);
    expect(await held()).toBeDefined();
  });
});
