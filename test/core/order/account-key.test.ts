import { describe, expect, it } from 'vitest';
import { AgentError } from '../../../src/core/errors.ts';
import { eachWorld } from '../each-world.ts';
import type { Step } from '../gate.ts';
import { type World, www } from '../world.ts';

let world: World;

eachWorld((opened) => {
  world = opened;
});

/** As a session does that finds out while it answers. */
const keyChanged: Step = async () => {
  world.first.ways.thumbprint = 'another-key';
  throw new AgentError('store.conflict', 'the account got another key in the middle of an order');
};

describe('an account that gets another key in the middle of an order', () => {
  it('has the answers made anew, and the same order ends well', async () => {
    await world.want();
    world.gate.once('first.respond', keyChanged);
    await world.renew();
    expect(await world.store.certificates.certificate(www)).toMatchObject({ issuer: 'first' });
    expect(world.first.orders).toHaveLength(1);
    const calls = world.gate.calls.filter((call) => /^(http|dns)-01\.(present|cleanUp)$/.test(call));
    expect(calls.map((call) => call.split('.')[1])).toEqual(['present', 'cleanUp', 'present', 'cleanUp']);
    expect(await world.events('certificate.failed')).toEqual([]);
  });

  it('also when the run that answered with the old one was killed', async () => {
    await world.want();
    world.gate.once('first.respond', async () => {
      world.first.ways.thumbprint = 'another-key';
      throw new AgentError('store.unavailable', 'the process lost its store');
    });
    await expect(world.renew()).rejects.toMatchObject({ code: 'store.unavailable' });
    await world.live(60_000);
    expect(await world.store.certificates.certificate(www)).toMatchObject({ issuer: 'first' });
    expect(world.first.orders).toHaveLength(1);
  });

  it('is no endless loop: a second change at once is a failure on the ladder', async () => {
    await world.want();
    let count = 0;
    world.gate.always('first.respond', async () => {
      count += 1;
      world.first.ways.thumbprint = `key-${count}`;
      throw new AgentError('store.conflict', 'the account got another key in the middle of an order');
    });
    await world.renew();
    expect(count).toBe(2);
    world.gate.always('first.respond', undefined);
    await world.live(15 * 60_000);
    expect(await world.store.certificates.certificate(www)).toBeDefined();
  });
});

describe('an account that another one replaces in the middle of an order', () => {
  it('takes the order with it: the other one makes one of its own, and what was presented is cleaned up', async () => {
    world.first.ways.validationMs = 60_000;
    await world.want({ issuers: ['first'] });
    await world.renew();
    expect(await world.store.issuances.get(www)).toMatchObject({ orderUrl: 'https://first.test/order/1' });
    const accountUrl = 'https://first.test/account/2';
    Object.assign(world.first.session, { accountUrl });
    world.first.ways.validationMs = 40;
    await world.live(10 * 60_000);
    expect(world.first.orders).toHaveLength(2);
    expect(world.first.finalized().map(({ url }) => url)).toEqual(['https://first.test/order/2']);
    expect(await world.store.certificates.certificate(www)).toMatchObject({ account: accountUrl });
    expect(await world.tokensLeft()).toBe(0);
    expect(await world.events('certificate.failed')).toEqual([]);
  });
});
