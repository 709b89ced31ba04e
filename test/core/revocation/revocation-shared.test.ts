import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AgentError } from '../../../src/core/errors.ts';
import { editRenewal } from '../../../src/core/records.ts';
import { failing } from '../gate.ts';
import { day, hour, minute } from '../given.ts';
import { startWorlds, type World, type Worlds, www } from '../world.ts';
import { observe } from './observe.ts';
import { revokeIn } from './revoke-command.ts';

let worlds: Worlds;
let world: World;

beforeAll(async () => {
  worlds = await startWorlds();
});
afterAll(() => worlds.stop());
beforeEach(async () => {
  world = await worlds.open();
});

const api = 'example.com/api.example.com/ec';
const web = `web|${www}`;

const { held, inUse, stateOf, revoked, shown, itemsOf } = observe(() => world);

describe('a compromised key', () => {
  it('takes every certificate that has it: each lineage gets a new key before its own is revoked', async () => {
    await world.want({ issuers: ['first'] }, ['www.example.com', 'api.example.com']);
    await world.live(minute);
    const [one, other] = [await held(), await held(api)];
    // As with an imported key that two certificates share.
    const shared = { ...other.certificate, generation: 2 };
    await world.store.changes.commit({
      generation: { ...other, certificate: shared, privateKey: one.privateKey },
    });
    const task = await revokeIn(world, { reason: 'keyCompromise' });
    expect((await itemsOf(task))?.map(({ id }) => id)).toEqual([`${www}#1`, `${api}#2`]);
    await world.live(10 * minute);
    expect(revoked().toSorted()).toEqual([one.certificate.serial, other.certificate.serial].toSorted());
    const keys = [await held(), await held(api)].map(({ privateKey }) => world.needs.pki.keyId(privateKey));
    expect(keys).not.toContain(world.needs.pki.keyId(one.privateKey));
    const bad = [world.needs.pki.keyId(one.privateKey)];
    expect([await stateOf(), await stateOf(api)]).toMatchObject([{ compromised: bad }, { compromised: bad }]);
  });

  it('is not kept for the successor of what has expired', async () => {
    await world.want({ issuers: ['first'], reuseKey: true }, ['www.example.com', 'api.example.com']);
    await world.live(minute);
    const one = await held();
    const other = await held(api);
    const now = world.clock.now();
    const expired = { ...other.certificate, generation: 2, notAfter: now - minute };
    await world.store.changes.commit({
      generation: { ...other, certificate: expired, privateKey: one.privateKey },
      putRenewals: [{ ...(await stateOf(api)), renewAt: now }],
    });
    const task = await revokeIn(world, { reason: 'keyCompromise' });
    expect((await itemsOf(task))?.map(({ id }) => id)).toEqual([`${www}#1`]);
    await world.renew(api);
    const successor = await held(api);
    expect(successor.certificate.generation).toBe(3);
    expect(world.needs.pki.keyId(successor.privateKey)).not.toBe(world.needs.pki.keyId(one.privateKey));
  });

  it('is not gone on with in an order under way', async () => {
    await world.want({ issuers: ['first'] });
    world.gate.once('first.finalize', failing(new AgentError('acme.server', 'the CA is in trouble')));
    await world.renew();
    const open = await world.store.issuances.get(www);
    if (open === undefined) throw new Error('no order is under way');
    const bad = world.needs.pki.keyId(open.privateKey);
    await editRenewal(www, world.store, (state) => ({ putRenewals: [{ ...state, compromised: [bad] }] }));
    await world.live(10 * minute);
    expect(world.needs.pki.keyId((await held()).privateKey)).not.toBe(bad);
  });
});

describe('one certificate that two lineages hold', () => {
  it('is revoked only when both have another one', async () => {
    await world.want({ issuers: ['first'] }, ['www.example.com', 'api.example.com']);
    await world.live(minute);
    const one = await held();
    const copy = { ...one.certificate, lineage: api, generation: 2 };
    await world.store.changes.commit({ generation: { ...one, certificate: copy } });
    world.first.ways.verdict = (name) =>
      name === 'api.example.com' ? { type: 'unauthorized', detail: 'somebody else answers' } : undefined;
    await revokeIn(world);
    await world.live(hour);
    expect((await held()).certificate.generation).toBe(2);
    expect(revoked()).toEqual([]);
    world.first.ways.verdict = () => undefined;
    await world.live(day);
    expect(revoked()).toEqual([one.certificate.serial]);
  });
});

describe.each(['before', 'after'] as const)('a process killed %s any call of a revocation', (when) => {
  it('leaves it to the next one: one successor, one revocation', async () => {
    let count = 1;
    for (let isOver = false; !isOver; count++) {
      world = await worlds.open();
      const old = await inUse();
      await revokeIn(world, { reason: 'keyCompromise' });
      await world.live(30_000);
      await world.handle('issue', www);
      await world.handle('deploy', web);
      world.gate.dieAt(count, when);
      await world.handle('issue', www).catch(() => undefined);
      isOver = !world.gate.isDead;
      const at = world.gate.calls.at(-1);
      await world.takeOver();
      await world.live(hour);
      const { certificate } = await held();
      expect([at, revoked(), certificate.generation, shown()?.serial]).toEqual([
        at,
        [old.certificate.serial],
        2,
        certificate.serial,
      ]);
      expect((await stateOf()).revoking).toBeUndefined();
      expect(world.first.finalized()).toHaveLength(2);
    }
    expect(count).toBeGreaterThan(10);
  });
});
