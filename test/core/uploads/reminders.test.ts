import { describe, expect, it } from 'vitest';
import type { Notice } from '../../../src/core/ports.ts';
import { renderMessage } from '../../../src/notify/templates.ts';
import { ack } from '../../../src/operations/ack.ts';
import { certsRemove } from '../../../src/operations/certs-remove.ts';
import { eachWorld } from '../each-world.ts';
import { day, hour, t0 } from '../given.ts';
import { runIn } from '../run-command.ts';
import type { World } from '../world.ts';
import { handInto } from './hand-in.ts';

let world: World;

eachWorld((opened) => {
  world = opened;
});

const notAfter = t0 + 90 * day;
const renewal = notAfter - 30 * day;

function told(): readonly { readonly at: number; readonly notice: Notice }[] {
  return world.mail.messages.flatMap(({ at, notices }) => notices.map((notice) => ({ at, notice })));
}

const numbers = () =>
  told()
    .filter(({ notice }) => notice.kind === 'expiring')
    .map(({ notice }) => notice.reminder?.number);

async function held(): Promise<string> {
  await world.want({ mode: 'custom' }, []);
  // A life of 92 days: a third of it is more than the thirty days of the ceiling.
  return (await handInto(world, ['www.example.com'], { notBefore: t0 - 2 * day, notAfter })).id;
}

describe('an upload that nears its expiry', () => {
  it('is reminded of from its renewal point on, daily as 1 to 30, of which the last falls at its expiry, then weekly', async () => {
    await held();
    await world.live(renewal - t0 - hour);
    expect(told()).toEqual([]);
    await world.live(30 * day);
    expect(numbers()).toEqual(Array.from({ length: 30 }, (_, index) => index + 1));
    const [first, last] = [told()[0], told().at(-1)];
    expect(first?.at).toBeGreaterThanOrEqual(renewal);
    expect(first?.at).toBeLessThan(renewal + hour);
    expect(last?.notice).toMatchObject({
      kind: 'expiring',
      reminder: { number: 30, of: 30 },
      expiresAt: notAfter,
    });
    expect(last?.at).toBeGreaterThan(notAfter - day);
    await world.live(29 * day);
    expect(numbers().slice(30)).toEqual([31, 32, 33, 34]);
    const [fallback, ...more] = told().filter(({ notice }) => notice.kind === 'fallback');
    expect(more).toEqual([]);
    expect(fallback?.notice.message).toContain('which was uploaded, is not valid any more');
  });

  it('is told of with what it is, what visitors see and what to do', async () => {
    const id = await held();
    await world.live(renewal - t0 + hour);
    const [{ notice } = { notice: undefined }] = told();
    if (notice === undefined) throw new Error('nobody was told');
    const { subject, text } = renderMessage([notice], world.clock.now());
    expect(subject).toBe(
      '[acme-agent] Reminder 1 of 30: the uploaded certificate for www.example.com wants a successor',
    );
    expect(text).toContain(
      `What happened: the certificate ${id} of Test CA, which was uploaded, expires on 2027-02-18; only a person can bring the next one`,
    );
    expect(text).toContain('What visitors see: Nothing of it yet: it is valid until 18 February 2027');
    expect(text).toContain(
      'What the agent does: Shows it until then; it cannot renew what it did not order.',
    );
    expect(text).toContain(`acme-agent certs add FILE --replace ${id}`);
    expect(text).not.toMatch(/undefined/);
  });

  it('is silent for a while for whoever asks for that, and never in its last three days', async () => {
    const id = await held();
    await expect(runIn(world, ack, { name: id })).rejects.toMatchObject({ code: 'command.conflict' });
    await world.live(renewal - t0 + hour);
    await runIn(world, ack, { name: id });
    await world.live(6 * day);
    expect(numbers()).toEqual([1]);
    await world.live(2 * day);
    expect(numbers().length).toBeGreaterThan(1);
    await world.live(notAfter - world.clock.now() - 4 * day);
    const before = numbers().length;
    await runIn(world, ack, { name: id });
    await world.live(3 * day);
    expect(numbers().length).toBeGreaterThan(before + 1);
  });

  it('is spoken of no more once it has a successor, which is told', async () => {
    const id = await held();
    await world.live(renewal - t0 + 5 * day + hour);
    expect(numbers()).toHaveLength(6);
    await handInto(world, ['www.example.com'], { input: { replace: id }, notAfter: t0 + 400 * day });
    await world.live(60 * day);
    expect(
      told()
        .slice(6)
        .map(({ notice }) => notice.kind),
    ).toEqual(['recovered']);
    expect(await world.store.due.at('remind', id)).toBe(t0 + 370 * day);
  });

  it('is spoken of no more once it is removed', async () => {
    const id = await held();
    await world.live(renewal - t0 + hour);
    await runIn(world, certsRemove, { id, force: true });
    await world.live(40 * day);
    expect(numbers()).toEqual([1]);
    expect(await world.store.due.at('remind', id)).toBeUndefined();
  });
});
