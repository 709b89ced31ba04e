import { describe, expect, it } from 'vitest';
import { eachWiredWorld } from '../each-world.ts';
import { problem } from '../fault-kit.ts';
import { day } from '../given.ts';
import type { WiredWorld } from '../wired-world.ts';

let world: WiredWorld;

eachWiredWorld((opened) => {
  world = opened;
});

/** Orders that the account may still make, by our ledger, and requests for one that were sent. */
async function afterWork(
  count: number,
): Promise<{ readonly left: number | undefined; readonly sent: number }> {
  const limits = { ordersPerAccount: { count, perMs: 100 * day } };
  world.limited.push({ name: 'first', directoryUrl: 'https://first.test/directory', limits });
  await world.want({ issuers: ['first'] });
  await world.work();
  const [level] = await world.needs.budget.levels('first', []);
  const sent = world.wire.first.calls.filter(({ kind }) => kind === 'newOrder').length;
  return { left: level?.left, sent };
}

describe('each request that may have made an order is counted by the ledger', () => {
  it('one whose answer was lost after the CA acted, and the one after it', async () => {
    world.wire.first.cut('newOrder', 'after');
    expect(await afterWork(10)).toEqual({ left: 8, sent: 2 });
    expect(world.first.orders).toHaveLength(2);
  });

  it('one that another server may have answered for the CA', async () => {
    world.wire.first.status('newOrder', { code: 504, body: 'gateway timeout', times: 2 });
    expect(await afterWork(10)).toEqual({ left: 7, sent: 3 });
  });

  it('not one that the CA never heard of', async () => {
    world.wire.first.status('newOrder', { code: 400, body: problem('badNonce'), nonce: true });
    expect(await afterWork(10)).toEqual({ left: 9, sent: 2 });
  });

  it('not the last one where the CA says that it made none', async () => {
    world.wire.first.cut('newOrder', 'after');
    world.wire.first.status('newOrder', { code: 403, body: problem('rejectedIdentifier'), nonce: true });
    expect(await afterWork(10)).toEqual({ left: 9, sent: 2 });
  });

  it('and none is sent for which there is no room', async () => {
    world.wire.first.cut('newOrder', 'after');
    expect(await afterWork(1)).toEqual({ left: 0, sent: 1 });
    expect(await world.events('certificate.failed')).toMatchObject([{ facts: { code: 'acme.network' } }]);
    expect(world.first.orders).toHaveLength(1);
  });
});
