import { describe, expect, test } from 'vitest';
import { bind } from '../../src/operations/bind.ts';
import { certsRollback } from '../../src/operations/certs-rollback.ts';
import { domainsAdd } from '../../src/operations/domains.ts';
import { keyIdOf } from '../../src/x509/key.ts';
import { bench, day, start, useBench } from './fixture.ts';
import { issued, upload } from './uploads-kit.ts';

useBench();

const id = 'example.com/www.example.com/ec';
const hour = 3_600_000;

async function threeGenerations(): Promise<void> {
  await bench.run(domainsAdd, { name: 'example.com', mode: 'individual', hosts: ['www.example.com'] });
  for (const days of [10, 40, 80]) await bench.hold(id, start + days * day);
}

const current = async () => (await bench.needs.certificates.lineage(id))?.current;

describe('a rollback', () => {
  test('puts the generation before the present one back, and has it deployed', async () => {
    await threeGenerations();
    const done = await bench.run(certsRollback, { id }, { requestedBy: 'ops' });
    expect(done).toMatchObject({ id, from: 3, to: 2, expiresAt: start + 40 * day });
    expect((await bench.needs.certificates.certificate(id))?.generation).toBe(2);
    expect((await bench.needs.certificates.bundle(id))?.certificate.generation).toBe(2);
    expect(await bench.needs.certificates.lineage(id)).toMatchObject({ current: 2, generations: [1, 2, 3] });
    expect(bench.woken.at(-1)).toEqual({ job: 'deploy', ids: [`files|${id}`] });
    expect((await bench.events('certificate.rolledBack'))[0]).toMatchObject({
      lineage: id,
      facts: { from: 3, generation: 2, requestedBy: 'ops' },
    });
  });

  test('to a generation that is named, forth as well as back', async () => {
    await threeGenerations();
    expect(await bench.run(certsRollback, { id, to: 1 })).toMatchObject({ from: 3, to: 1 });
    expect(await bench.run(certsRollback, { id, to: 3 })).toMatchObject({ from: 1, to: 3 });
  });

  test('is left alone for half of what is left, though its own renewal is due', async () => {
    await threeGenerations();
    const { heldUntil } = await bench.run(certsRollback, { id, to: 1 });
    expect(heldUntil).toBe(start + 5 * day);
    expect(await bench.needs.due.at('issue', id)).toBe(start + 5 * day);
    expect((await bench.needs.renewals.get(id)).renewAt).toBeLessThan(start);
  });

  test('is no reason not to store the next one: it becomes the present one again', async () => {
    await threeGenerations();
    await bench.run(certsRollback, { id, to: 1 });
    await bench.hold(id, start + 90 * day);
    expect(await bench.needs.certificates.lineage(id)).toMatchObject({ current: 4, generations: [2, 3, 4] });
  });

  test('of an upload brings its own reminders back', async () => {
    await bench.run(domainsAdd, { name: 'example.com', mode: 'custom' });
    const first = await upload(issued(['www.example.com'], { notAfter: start + 40 * day }));
    await upload(issued(['www.example.com'], { notAfter: start + 80 * day }));
    expect(await bench.needs.due.at('remind', first.id)).toBeGreaterThan(start + 50 * day);
    const done = await bench.run(certsRollback, { id: first.id });
    expect(done).toMatchObject({ from: 2, to: 1, serial: first.serial, heldUntil: undefined });
    expect(await bench.needs.due.at('remind', first.id)).toBeLessThan(start + 40 * day);
    expect(await bench.needs.due.at('issue', first.id)).toBeUndefined();
  });

  test('has all places deployed that it is bound to', async () => {
    await bench.run(domainsAdd, { name: 'example.com', mode: 'custom' });
    await bench.run(domainsAdd, { name: 'example.org', mode: 'individual', hosts: ['a.example.org'] });
    const { id: bound } = await upload(issued(['www.example.com']));
    await upload(issued(['www.example.com']));
    await bench.run(bind, { name: 'a.example.org', certificates: [bound], force: true });
    await bench.run(certsRollback, { id: bound });
    expect(bench.woken.at(-1)?.ids.toSorted()).toEqual(
      [`files|${bound}`, 'files|example.org/a.example.org/ec'].toSorted(),
    );
  });

  test('whose run was cut off is answered as it was done, and goes no further back', async () => {
    await threeGenerations();
    const key = { idempotencyKey: 'one' };
    const done = await bench.run(certsRollback, { id }, key);
    expect(await bench.run(certsRollback, { id }, { ...key, isRepeat: true })).toEqual(done);
    expect(await current()).toBe(2);
    // A run that did nothing yet begins.
    expect(await bench.run(certsRollback, { id }, { idempotencyKey: 'two', isRepeat: true })).toMatchObject({
      to: 1,
    });
  });
});

describe('no rollback', () => {
  test.each([
    [{ to: 3 }, 'generation 3 is the present one of example.com/www.example.com/ec'],
    [{ to: 7 }, 'example.com/www.example.com/ec holds no generation 7; generations held: 1, 2, 3'],
  ])('%j', async (input, message) => {
    await threeGenerations();
    await expect(bench.run(certsRollback, { id, ...input })).rejects.toMatchObject({ message });
  });

  test('without an earlier generation', async () => {
    await bench.run(domainsAdd, { name: 'example.com', mode: 'individual', hosts: ['www.example.com'] });
    await expect(bench.run(certsRollback, { id })).rejects.toMatchObject({
      message: `${id} holds no earlier generation; generations held: none`,
    });
    await bench.hold(id, start + 10 * day);
    await expect(bench.run(certsRollback, { id })).rejects.toMatchObject({
      message: `${id} holds no earlier generation; generations held: 1`,
    });
  });

  test('to one that is expired, revoked, to be revoked, or whose key somebody else has', async () => {
    await threeGenerations();
    const [first, second] = await Promise.all([1, 2].map((one) => bench.needs.certificates.bundle(id, one)));
    if (first === undefined || second === undefined) throw new Error('nothing is held');
    const attempt = (to: number) => bench.run(certsRollback, { id, to });
    await bench.remember(id, { revoked: [second.certificate.fingerprint] });
    await expect(attempt(2)).rejects.toMatchObject({ message: `generation 2 of ${id} is revoked` });
    const { serial, fingerprint, notAfter } = second.certificate;
    const doomed = {
      generation: 2,
      serial,
      fingerprint,
      notAfter,
      issuer: 'letsencrypt',
      leaf: '',
      failures: 0,
    };
    await bench.remember(id, {
      revoked: undefined,
      revoking: [{ ...doomed, reason: 'superseded', requestedAt: start }],
    });
    await expect(attempt(2)).rejects.toMatchObject({ message: `generation 2 of ${id} is to be revoked` });
    bench.now = start + 11 * day;
    await expect(attempt(1)).rejects.toMatchObject({
      message: `generation 1 of ${id} expired at 2026-11-30T12:00:00.000Z`,
    });
    expect(await current()).toBe(3);
  });

  test('to one whose key is compromised', async () => {
    await bench.run(domainsAdd, { name: 'example.com', mode: 'custom' });
    const { id: lineage } = await upload(issued(['www.example.com']));
    await upload(issued(['www.example.com']));
    const bundle = await bench.needs.certificates.bundle(lineage, 1);
    if (bundle === undefined) throw new Error('nothing is held');
    await bench.remember(lineage, { compromised: [keyIdOf(bundle.privateKey)] });
    await expect(bench.run(certsRollback, { id: lineage })).rejects.toMatchObject({
      message: `generation 1 of ${lineage} has a key that somebody else has too`,
    });
  });

  test('while an order is being worked on, but not for ever', async () => {
    await threeGenerations();
    const lock = await bench.needs.locks.tryAcquire(`issue:${id}`, hour);
    const rollback = bench.run(certsRollback, { id });
    await lock?.release();
    expect(await rollback).toMatchObject({ to: 2 });
  });
});
