import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { KeyType } from '../../../src/core/types.ts';
import { day, hour, minute } from '../given.ts';
import { problemError } from '../scripted-ca.ts';
import { startWorlds, type World, type Worlds, www } from '../world.ts';

let worlds: Worlds;
let world: World;
beforeAll(async () => {
  worlds = await startWorlds();
});
afterAll(() => worlds?.stop());
beforeEach(async () => {
  world = await worlds.open();
});

/** SHA-256 of the public key that is held now. */
async function keyHeld(): Promise<string> {
  const bundle = await world.store.certificates.bundle(www);
  return bundle === undefined ? 'none' : world.needs.pki.keyId(bundle.privateKey);
}

async function renewed(): Promise<string> {
  await world.ask(true);
  await world.live(hour);
  return keyHeld();
}

describe('the key of a renewal', () => {
  test('is a new one', async () => {
    await world.want();
    await world.live(hour);
    const before = await keyHeld();
    expect(await renewed()).not.toBe(before);
  });

  test('is that of its predecessor where the domain keeps its keys, and new when it no longer does', async () => {
    await world.want({ reuseKey: true });
    await world.live(hour);
    const first = await keyHeld();
    expect(first).not.toBe('none');
    expect(await renewed()).toBe(first);
    expect(await renewed()).toBe(first);
    await world.want();
    expect(await renewed()).not.toBe(first);
    expect(world.first.finalized()).toHaveLength(4);
  });

  test('is new when another type is wanted', async () => {
    await world.want({ reuseKey: true });
    await world.live(hour);
    const before = await keyHeld();
    await world.want({ reuseKey: true, keyTypes: ['p384'] satisfies KeyType[] });
    await world.live(hour);
    expect(await world.store.certificates.certificate(www)).toMatchObject({ keyType: 'p384' });
    expect(await keyHeld()).not.toBe(before);
  });

  test('is never one that somebody else has', async () => {
    await world.want({ reuseKey: true });
    await world.live(hour);
    const before = await keyHeld();
    const state = await world.store.renewals.get(www);
    await world.store.changes.commit({ putRenewals: [{ ...state, compromised: [before] }] });
    expect(await renewed()).not.toBe(before);
  });

  test('is new after the CA refused the request that the old one signed', async () => {
    await world.want({ reuseKey: true, issuers: ['first'] });
    await world.live(hour);
    const before = await keyHeld();
    const { session } = world.first;
    const { finalize } = session;
    let isRefusing = true;
    Object.assign(session, {
      finalize: async (...args: Parameters<typeof finalize>) => {
        if (!isRefusing) return finalize(...args);
        isRefusing = false;
        throw problemError({ type: 'badCSR', detail: 'this key is blocked' });
      },
    });
    expect(await renewed()).not.toBe(before);
    expect(world.first.orders).toHaveLength(3);
  });
});

describe('a profile', () => {
  test('that is required and missing goes to the next issuer and costs no limit; one that is preferred does without', async () => {
    world.limited.push({
      name: 'first',
      directoryUrl: 'https://first.test/directory',
      limits: { ordersPerAccount: { count: 1, perMs: 30 * day } },
    });
    world.second.ways.profiles = ['shortlived'];
    await world.want({ profile: { name: 'shortlived', required: true } });
    await world.live(hour);
    expect(world.first.orders).toHaveLength(0);
    expect(world.second.orders.map(({ asked }) => asked.profile)).toEqual(['shortlived']);
    await world.want({ issuers: ['first'], profile: { name: 'classic', required: false } });
    await world.live(hour);
    expect(world.first.orders.map(({ asked }) => asked.profile)).toEqual([undefined]);
  });

  test('of the domain goes before that of the issuer, which stands in where the CA lacks it', async () => {
    const { ways, session, orders } = world.first;
    Object.assign(session, { usualProfile: { name: 'tlsserver', required: false } });
    ways.profiles = ['classic', 'tlsserver'];
    await world.want({ profile: { name: 'classic', required: false } });
    await world.live(hour);
    await world.want({ profile: { name: 'shortlived', required: false } });
    await world.live(hour);
    await world.want();
    await world.live(hour);
    expect(orders.map(({ asked }) => asked.profile)).toEqual(['classic', 'tlsserver', 'tlsserver']);
  });

  test('that is wanted instead while an order is under way is ordered in its place', async () => {
    world.first.ways.profiles = ['classic', 'short'];
    world.first.ways.validationMs = 4 * minute;
    await world.want({ profile: { name: 'classic', required: true } });
    await world.live(minute);
    await world.want({ profile: { name: 'short', required: true } });
    await world.live(hour);
    expect(world.first.orders.map(({ asked }) => asked.profile)).toEqual(['classic', 'short']);
    expect(world.first.finalized().map(({ asked }) => asked.profile)).toEqual(['short']);
  });

  test('that the issuer requires is required of every order there', async () => {
    Object.assign(world.first.session, { usualProfile: { name: 'shortlived', required: true } });
    await world.want({ issuers: ['first'] });
    await world.live(hour);
    expect(world.first.orders).toHaveLength(0);
    expect(await world.store.renewals.get(www)).toMatchObject({
      lastFailure: { code: 'order.profile', message: 'first has no profile "shortlived"; it offers none' },
    });
  });

  test('of six days is renewed at half its life, and people are reminded after a tenth of it', async () => {
    const { ways, orders } = world.first;
    Object.assign(ways, { profiles: ['shortlived'], lifetimeMs: 6 * day });
    await world.want({ issuers: ['first'], profile: { name: 'shortlived', required: true } });
    await world.live(hour);
    const held = await world.store.certificates.certificate(www);
    if (held === undefined) throw new Error('nothing was issued');
    const life = held.notAfter - held.notBefore;
    const half = held.notBefore + life / 2;
    const { renewAt = 0 } = await world.store.renewals.get(www);
    expect(renewAt).toBeGreaterThanOrEqual(half);
    expect(renewAt).toBeLessThanOrEqual(half + life / 20);
    await world.live(renewAt + hour - world.clock.now());
    expect(orders).toHaveLength(2);
    expect(await world.mail.messages).toEqual([]);

    ways.verdict = () => ({ type: 'connection', detail: 'nobody answers' });
    const next = (await world.store.renewals.get(www)).renewAt ?? 0;
    await world.live(next + life / 10 + hour - world.clock.now());
    const notices = world.mail.messages.flatMap((message) =>
      message.notices.map(({ kind, at }) => ({ kind, after: at - next })),
    );
    const reminder = notices.find(({ kind }) => kind === 'reminder');
    expect(reminder?.after).toBeGreaterThanOrEqual(life / 10);
    expect(reminder?.after).toBeLessThan(life / 10 + 10 * 60_000);
  });
});
