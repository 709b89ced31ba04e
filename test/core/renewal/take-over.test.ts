import { expect, it } from 'vitest';
import { takeOver } from '../../../src/core/renewal/take-over.ts';
import type { Bundle, Lineage } from '../../../src/core/types.ts';
import { eachWorld } from '../each-world.ts';
import { day, hour } from '../given.ts';
import { type World, www } from '../world.ts';

let world: World;

eachWorld((opened) => {
  world = opened;
});

it('a certificate that is taken over ends the reminders of what failed before, and people hear that it is well', async () => {
  world.first.ways.verdict = () => ({ type: 'dns', detail: 'NXDOMAIN' });
  await world.want({ issuers: ['first'] });
  await world.live(3 * day);
  expect(kinds()).toContain('reminder');
  const lineage = await world.store.certificates.lineage(www);
  if (lineage === undefined) throw new Error('the wish made no lineage');
  const generation = await foreign(lineage);
  await world.run(takeOver({ lineage, generation, reason: 'imported', deploy: ['web'] }, world.needs));
  expect(await world.store.renewals.get(www)).toMatchObject({ failures: 0, reminders: { count: 0 } });
  await world.live(2 * hour);
  expect(kinds().at(-1)).toBe('recovered');
  const told = kinds().length;
  await world.live(20 * day);
  expect(kinds()).toHaveLength(told);
  expect(world.web.shows(www)?.certificate.serial).toBe(generation.certificate.serial);
});

it('a certificate that is taken over leaves a request as it stands: its task is answered in the end', async () => {
  world.first.ways.validationMs = 2 * hour;
  await world.want({ issuers: ['first'] });
  await world.live(hour);
  const lineage = await world.store.certificates.lineage(www);
  if (lineage === undefined) throw new Error('the wish made no lineage');
  const task = { id: 'task-1', operation: 'renew', createdAt: world.clock.now(), state: 'running' as const };
  await world.store.changes.commit({ putTasks: [{ ...task, items: [{ id: www, state: 'waiting' }] }] });
  await world.ask(false, task.id);
  const generation = await foreign(lineage);
  await world.run(takeOver({ lineage, generation, reason: 'imported' }, world.needs));
  await world.live(hour);
  expect((await world.store.tasks.get(task.id))?.items).toMatchObject([{ id: www, state: 'skipped' }]);
});

function kinds(): readonly string[] {
  return world.mail.messages.flatMap(({ notices }) => notices.map(({ kind }) => kind));
}

/** As another client got it, from a CA that gives no advice. */
async function foreign({ id, wanted }: Lineage): Promise<Bundle> {
  const now = world.clock.now();
  const privateKey = await world.needs.pki.generateKey('p256');
  const validity = { notBefore: now - day, notAfter: now + 89 * day };
  const { leafDer, chainDer, ...facts } = world.needs.pki.selfSigned(wanted.names, privateKey, validity);
  const held = {
    lineage: id,
    generation: 1,
    source: 'acme',
    issuer: 'first',
    issuedAt: now,
    wanted,
  } as const;
  return { certificate: { ...facts, ...held }, leafDer, chainDer, privateKey };
}
