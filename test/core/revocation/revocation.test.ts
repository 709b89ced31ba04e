import { describe, expect, it } from 'vitest';
import { AgentError } from '../../../src/core/errors.ts';
import type { RevocationRequest } from '../../../src/core/ports.ts';
import { changeWishes } from '../../../src/core/wishes/reconcile.ts';
import { eachWorld } from '../each-world.ts';
import { failing, losingAnswer } from '../gate.ts';
import { aHost, day, hour, minute, t0 } from '../given.ts';
import { problemError } from '../scripted-ca.ts';
import { handInto } from '../uploads/hand-in.ts';
import { type World, www } from '../world.ts';
import { observe } from './observe.ts';
import { revokeIn } from './revoke-command.ts';

let world: World;

eachWorld((opened) => {
  world = opened;
});

const { held, inUse, stateOf, revoked, shown, itemsOf } = observe(() => world);

/** Keys of certificates that the CA is offered to sign with, in hex. */
function keysOffered(): readonly (string | undefined)[] {
  const keys: (string | undefined)[] = [];
  world.gate.always('acme.revoke', async (proceed, [, request]) => {
    const key = await (request as RevocationRequest).key();
    keys.push(key && Buffer.from(key.reveal()).toString('hex'));
    return proceed();
  });
  return keys;
}

describe('a certificate that is in use', () => {
  it('is revoked once a new one with another key is seen at every target, and not before', async () => {
    const old = await inUse();
    const orders: string[] = [];
    world.gate.always('acme.revoke', async (proceed) => {
      orders.push(`${(await held()).certificate.serial} held, ${shown()?.serial} shown`);
      return proceed();
    });
    const task = await revokeIn(world, { reason: 'keyCompromise' });
    expect(revoked()).toEqual([]);
    await world.live(5 * minute);
    const { certificate, privateKey } = await held();
    expect(world.first.revocations).toMatchObject([
      { serial: old.certificate.serial, reason: 'keyCompromise' },
    ]);
    expect(orders).toEqual([`${certificate.serial} held, ${certificate.serial} shown`]);
    expect(certificate.serial).not.toBe(old.certificate.serial);
    expect(privateKey.reveal()).not.toEqual(old.privateKey.reveal());
    expect((await stateOf()).revoking).toBeUndefined();
    expect((await stateOf()).revokedAt).toBeUndefined();
    expect(await itemsOf(task)).toMatchObject([{ id: `${www}#1`, state: 'done' }]);
    expect(await world.events('certificate.revoked', www)).toHaveLength(1);
    expect(world.mail.messages).toEqual([]);
  });

  it('is revoked though its successor is seen nowhere, where an upload is shown in the place of both', async () => {
    const old = await inUse();
    await handInto(world, ['www.example.com'], { notBefore: t0 - hour, notAfter: t0 + 300 * day });
    await world.live(5 * minute);
    expect(shown()?.source).toBe('upload');
    await revokeIn(world);
    await world.live(5 * minute);
    expect(world.first.revocations).toMatchObject([{ serial: old.certificate.serial }]);
  });

  it('is revoked as soon as the last target shows its successor, without waiting for a tick', async () => {
    const old = await inUse();
    world.gate.once('web.deploy', failing(new AgentError('deploy.reload', 'nginx does not reload')));
    await revokeIn(world);
    await world.work();
    await world.work();
    expect((await held()).certificate.generation).toBe(2);
    await world.live(2 * minute);
    expect(revoked()).toEqual([old.certificate.serial]);
    expect((world.first.revocations[0]?.at ?? 0) - t0).toBeLessThan(3 * minute);
  });

  it('without a deploy target is revoked as soon as its successor is held', async () => {
    await world.want({ issuers: ['first'], deploy: [] });
    await world.live(minute);
    await revokeIn(world);
    await world.renew();
    expect(revoked()).toHaveLength(1);
  });

  it('stays as it is while its successor waits for a target', async () => {
    const old = await inUse();
    world.gate.always('web.deploy', failing(new AgentError('deploy.reload', 'nginx does not reload')));
    await revokeIn(world);
    await world.live(3 * hour);
    expect((await held()).certificate.generation).toBe(2);
    expect(revoked()).toEqual([]);
    world.gate.always('web.deploy', undefined);
    await world.live(2 * day);
    expect(revoked()).toEqual([old.certificate.serial]);
  });

  it.each([
    ['keyCompromise', hour],
    ['superseded', day],
  ] as const)(
    'to be revoked for %s without a successor in time is told to people once, and tried on',
    async (reason, bound) => {
      const old = await inUse();
      world.first.ways.verdict = () => ({ type: 'caa', detail: 'CAA forbids it' });
      await revokeIn(world, { reason });
      await world.live(bound - 10 * minute);
      expect(await world.events('revocation.late', www)).toHaveLength(0);
      await world.live(3 * day);
      const [late, ...more] = await world.events('revocation.late', www);
      expect(more).toEqual([]);
      expect(late?.at).toBeLessThan(t0 + bound + hour);
      expect(late?.facts.message).toContain('no new certificate');
      const told = world.mail.messages.flatMap(({ notices }) => notices.map(({ kind }) => kind));
      expect(told.filter((kind) => kind === 'revocation-late')).toHaveLength(1);
      expect(revoked()).toEqual([]);
      expect(shown()?.serial).toBe(old.certificate.serial);
      world.first.ways.verdict = () => undefined;
      await world.live(2 * day);
      expect(revoked()).toEqual([old.certificate.serial]);
    },
  );

  it('revoked with --now has a successor at once', async () => {
    const old = await inUse();
    await revokeIn(world, { now: true });
    await world.live(5 * minute);
    expect(revoked()).toEqual([old.certificate.serial]);
    expect(shown()?.generation).toBe(2);
    expect((await stateOf()).revokedAt).toBeUndefined();
    expect(world.web.history.map(({ certificate }) => certificate.source)).toEqual([
      'self-signed',
      'acme',
      'acme',
    ]);
  });

  it('revoked with --now gives way to the fallback where no successor can be had, and comes back with one', async () => {
    await inUse();
    world.first.ways.verdict = () => ({ type: 'caa', detail: 'CAA forbids it' });
    await revokeIn(world, { now: true });
    await world.live(5 * minute);
    expect(shown()?.source).toBe('acme');
    await world.live(20 * minute);
    expect(shown()?.source).toBe('self-signed');
    const kinds = world.mail.messages.flatMap(({ notices }) => notices.map(({ kind }) => kind));
    expect(kinds).toContain('failed');
    world.first.ways.verdict = () => undefined;
    await world.live(2 * day);
    expect(shown()).toMatchObject({ source: 'acme', generation: 2 });
  });
});

describe('a revocation', () => {
  it('of what no host asks for any more happens at once and orders nothing', async () => {
    const old = await inUse();
    const host = aHost('www.example.com');
    await world.run(changeWishes('example.com', () => ({ removeHosts: [host] }), world.needs));
    await revokeIn(world);
    await world.live(day);
    expect(revoked()).toEqual([old.certificate.serial]);
    expect(world.first.orders).toHaveLength(1);
  });

  it('of a domain that was removed happens too', async () => {
    const old = await inUse();
    await world.run(changeWishes('example.com', () => ({ removeDomain: true }), world.needs));
    const task = await revokeIn(world);
    await world.live(minute);
    expect(revoked()).toEqual([old.certificate.serial]);
    expect(await itemsOf(task)).toMatchObject([{ state: 'done' }]);
    expect(await world.store.due.at('issue', www)).toBeUndefined();
  });

  it('never follows from the removal of a host or a domain', async () => {
    await inUse();
    await world.run(changeWishes('example.com', () => ({ removeDomain: true }), world.needs));
    await world.live(30 * day);
    expect(revoked()).toEqual([]);
    expect((await held()).certificate.generation).toBe(1);
  });

  it('that the CA refuses fails the task and is tried on its own ladder, without touching the lineage', async () => {
    const old = await inUse();
    const problem = { type: 'urn:ietf:params:acme:error:malformed', detail: 'not in the mood' };
    world.gate.once('acme.revoke', failing(problemError(problem)));
    const task = await revokeIn(world, { now: true });
    await world.live(minute / 2);
    expect(await itemsOf(task)).toMatchObject([{ state: 'failed', note: expect.stringContaining('mood') }]);
    expect(await stateOf()).toMatchObject({ failures: 0, revoking: [{ failures: 1 }] });
    await world.live(10 * minute);
    expect(revoked()).toEqual([old.certificate.serial]);
  });

  it('whose answer was lost is done by the next run', async () => {
    const old = await inUse();
    const lost = new AgentError('acme.network', 'the connection broke');
    world.gate.once('acme.revoke', losingAnswer(lost));
    const task = await revokeIn(world, { now: true });
    await world.live(20 * minute);
    expect(revoked()).toEqual([old.certificate.serial]);
    expect(await itemsOf(task)).toMatchObject([{ state: 'done' }]);
  });

  it('asked for twice is done once; the first task says who took over', async () => {
    const old = await inUse();
    const first = await revokeIn(world);
    const second = await revokeIn(world, { reason: 'superseded' });
    await world.live(10 * minute);
    expect(world.first.revocations).toMatchObject([{ serial: old.certificate.serial, reason: 'superseded' }]);
    expect(await itemsOf(first)).toMatchObject([{ state: 'skipped', note: `taken over by ${second}` }]);
    expect(world.first.finalized()).toHaveLength(2);
  });

  it('sent twice with one key is carried out once', async () => {
    await inUse();
    expect(await revokeIn(world, {}, 'key')).toBe(await revokeIn(world, {}, 'key'));
    await world.live(10 * minute);
    expect(await revokeIn(world, {}, 'key')).toMatch(/^task-/);
    await world.live(10 * minute);
    expect(revoked()).toHaveLength(1);
    expect(world.first.finalized()).toHaveLength(2);
  });

  it('that waits for a successor until the certificate has expired is not sent any more, and its task says so', async () => {
    world.first.ways.lifetimeMs = 2 * day;
    await inUse();
    world.gate.always('first.newOrder', failing(new AgentError('acme.server', 'the CA is away')));
    const task = await revokeIn(world);
    await world.live(3 * day);
    expect(await itemsOf(task)).toMatchObject([{ id: `${www}#1`, state: 'skipped' }]);
    expect((await stateOf()).revoking).toBeUndefined();
    expect(revoked()).toEqual([]);
  });

  it('of an earlier generation does not touch the present one', async () => {
    const old = await inUse();
    await world.ask(true);
    await world.live(minute);
    await revokeIn(world, { generation: 1 });
    await world.live(10 * minute);
    expect(revoked()).toEqual([old.certificate.serial]);
    expect(world.first.finalized()).toHaveLength(2);
    expect((await stateOf()).revokedAt).toBeUndefined();
  });

  it('outlives the generation: what was forgotten meanwhile is revoked all the same', async () => {
    const old = await inUse();
    world.gate.always('web.deploy', failing(new AgentError('deploy.target', 'the disk is full')));
    await revokeIn(world);
    await world.live(minute);
    for (let more = 0; more < 4; more++) {
      await world.ask(true);
      await world.live(2 * minute);
    }
    expect((await world.store.certificates.lineage(www))?.generations).not.toContain(1);
    world.gate.always('web.deploy', undefined);
    const keys = keysOffered();
    await world.live(2 * day);
    expect(revoked()).toEqual([old.certificate.serial]);
    expect(keys).toEqual([undefined]);
  });

  it('can be signed by its own key, where the account may not', async () => {
    const old = await inUse();
    const keys = keysOffered();
    await revokeIn(world);
    await world.live(10 * minute);
    expect(keys).toEqual([Buffer.from(old.privateKey.reveal()).toString('hex')]);
  });
});
