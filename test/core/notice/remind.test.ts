import { describe, expect, it } from 'vitest';
import { AgentError } from '../../../src/core/errors.ts';
import { silenceUntil } from '../../../src/core/notice/reminders.ts';
import type { Notice } from '../../../src/core/ports.ts';
import { editRenewal } from '../../../src/core/records.ts';
import { refreshDue } from '../../../src/core/renewal/due-index.ts';
import { dueOfLineage } from '../../../src/core/renewal/next-action.ts';
import { changeWishes } from '../../../src/core/wishes/reconcile.ts';
import { eachWorld } from '../each-world.ts';
import { failing } from '../gate.ts';
import { day, hour, minute, t0 } from '../given.ts';
import { type World, www } from '../world.ts';

let world: World;

eachWorld((opened) => {
  world = opened;
});

const away = failing(new AgentError('notify.failed', 'the mail server is away'));

interface Reminder {
  readonly at: number;
  readonly notice: Notice;
}

function remindersIn({ messages }: World['mail']): readonly Reminder[] {
  return messages.flatMap(({ at, notices }) =>
    notices.filter(({ kind }) => kind === 'reminder').map((notice) => ({ at, notice })),
  );
}

const numbersIn = (box: World['mail']) => remindersIn(box).map(({ notice }) => notice.reminder?.number);

async function ack(forMs: number): Promise<void> {
  const lineage = await world.store.certificates.lineage(www);
  const certificate = await world.store.certificates.certificate(www);
  if (lineage === undefined) throw new Error('no lineage');
  const now = world.clock.now();
  await editRenewal(www, world.store, (before) => {
    const reminders = { ...before.reminders, silencedUntil: silenceUntil(forMs, now) };
    const state = { ...before, reminders };
    return { putRenewals: [state], due: dueOfLineage({ lineage, certificate, state, now }) };
  });
}

function breakForGood(): void {
  world.first.ways.verdict = () => ({ type: 'dns', detail: 'NXDOMAIN' });
  world.second.ways.verdict = world.first.ways.verdict;
}

describe('reminders', () => {
  it('C9 come daily as 1 to 30, then weekly, and stop with the success, which is told', async () => {
    await world.want();
    breakForGood();
    await world.live(60 * day);
    const got = remindersIn(world.mail);
    const numbers = got.map(({ notice }) => notice.reminder?.number);
    expect(numbers.slice(0, 30)).toEqual(Array.from({ length: 30 }, (_, index) => index + 1));
    expect(numbers.length).toBeGreaterThanOrEqual(33);
    expect(numbers.length).toBeLessThanOrEqual(35);
    const gaps = got.slice(1).map(({ at }, index) => at - (got[index]?.at ?? 0));
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(day - hour);
    expect(Math.max(...gaps.slice(0, 28))).toBeLessThanOrEqual(day + 2 * hour);
    expect(Math.min(...gaps.slice(30))).toBeGreaterThanOrEqual(7 * day - hour);
    expect(got[29]?.notice.reminder).toEqual({ number: 30, of: 30 });
    expect(got[30]?.notice.reminder).toEqual({ number: 31 });
    expect(got[0]?.notice).toMatchObject({ code: 'challenge.dns', names: ['www.example.com'] });
    expect(got[0]?.at).toBeGreaterThanOrEqual(t0 + day);
    world.first.ways.verdict = () => undefined;
    await world.live(10 * day);
    expect(numbersIn(world.mail)).toHaveLength(numbers.length);
    expect(world.mail.messages.at(-1)?.notices.map(({ kind }) => kind)).toEqual(['recovered']);
    expect((await world.store.renewals.get(www)).reminders).toEqual({ count: 0 });
  });

  it('count only what a notifier took', async () => {
    await world.want({ notify: ['mail'] });
    breakForGood();
    world.gate.always('mail.send', away);
    await world.live(2 * day);
    expect((await world.store.renewals.get(www)).reminders.count).toBe(0);
    world.gate.always('mail.send', undefined);
    await world.live(6 * day);
    const { count } = (await world.store.renewals.get(www)).reminders;
    const numbers = numbersIn(world.mail);
    expect(new Set(numbers)).toEqual(new Set(Array.from({ length: count }, (_, index) => index + 1)));
    expect(count).toBeGreaterThanOrEqual(5);
    expect(count).toBeLessThanOrEqual(7);
  });

  it('that wait for a notifier are replaced by the next one: the same is not said twice', async () => {
    await world.want({ notify: ['mail'] });
    breakForGood();
    world.gate.always('mail.send', away);
    await world.live(3 * day);
    world.gate.always('mail.send', undefined);
    await world.live(hour);
    expect(numbersIn(world.mail)).toEqual([1]);
  });

  it('count once though two notifiers take them', async () => {
    await world.want();
    breakForGood();
    await world.live(4 * day + hour);
    expect(numbersIn(world.mail)).toEqual(numbersIn(world.hook));
    expect((await world.store.renewals.get(www)).reminders.count).toBe(numbersIn(world.hook).length);
  });

  it('reach people through another notifier while one fails', async () => {
    await world.want();
    breakForGood();
    world.gate.always('mail.send', away);
    await world.live(3 * day + hour);
    expect(numbersIn(world.hook)).toEqual([1, 2, 3]);
    expect((await world.store.renewals.get(www)).reminders.count).toBe(3);
  });

  it('survive a notifier that fails now and then: each number comes, in order', async () => {
    await world.want({ notify: ['mail'] });
    breakForGood();
    let sends = 0;
    world.gate.always('mail.send', async (proceed) => {
      if (++sends % 3 === 1) throw new AgentError('notify.failed', 'the mail server is busy');
      return proceed();
    });
    await world.live(40 * day);
    const numbers = numbersIn(world.mail);
    expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, index) => index + 1));
    expect(numbers.length).toBeGreaterThan(30);
  });

  it('are silent as long as somebody asked, at most seven days', async () => {
    await world.want();
    breakForGood();
    await world.live(2 * day);
    const before = numbersIn(world.hook).length;
    const silentFrom = world.clock.now();
    await ack(300 * day);
    await world.live(20 * day);
    const after = remindersIn(world.hook).slice(before);
    expect(after[0]?.at).toBeGreaterThanOrEqual(silentFrom + 7 * day);
    expect(after[0]?.at).toBeLessThan(silentFrom + 7 * day + 2 * hour);
    expect(after.length).toBeGreaterThan(10);
  });

  it('are not silent in the last three days of validity', async () => {
    await world.want();
    await world.live(minute);
    const { notAfter = 0 } = (await world.store.certificates.certificate(www)) ?? {};
    breakForGood();
    await world.live(notAfter - 5 * day - world.clock.now());
    const before = numbersIn(world.hook).length;
    expect(before).toBeGreaterThan(15);
    await ack(7 * day);
    await world.live(5 * day - minute);
    const after = remindersIn(world.hook).slice(before);
    expect(after.length).toBeGreaterThanOrEqual(3);
    expect(after[0]?.at).toBeGreaterThanOrEqual(notAfter - 3 * day);
    expect(after[0]?.at).toBeLessThan(notAfter - 3 * day + 2 * hour);
  });

  it('of a renewal reach the thirtieth about when it expires', async () => {
    await world.want();
    await world.live(minute);
    const { notAfter = 0 } = (await world.store.certificates.certificate(www)) ?? {};
    breakForGood();
    await world.live(notAfter + 2 * day - world.clock.now());
    expect(numbersIn(world.hook).length).toBeGreaterThanOrEqual(26);
    expect(numbersIn(world.hook).length).toBeLessThanOrEqual(31);
  });

  it('stop when nobody wants the name any more', async () => {
    await world.want();
    breakForGood();
    await world.live(3 * day);
    await world.run(changeWishes('example.com', ({ hosts }) => ({ removeHosts: hosts }), world.needs));
    await world.live(8 * day);
    const before = numbersIn(world.hook).length;
    const orders = world.first.orders.length;
    await world.live(30 * day);
    expect(numbersIn(world.hook)).toHaveLength(before);
    expect(world.first.orders).toHaveLength(orders);
  });

  it('come again after a clock that stood ten years ahead for a while', async () => {
    await world.want({ issuers: ['first'] });
    breakForGood();
    await world.live(3 * day);
    world.clock.jump(3650 * day);
    await world.live(2 * day);
    await ack(7 * day);
    world.clock.jump(-3650 * day);
    await world.run(refreshDue(world.needs));
    const before = numbersIn(world.mail).length;
    await world.live(10 * day);
    expect(numbersIn(world.mail).length).toBeGreaterThanOrEqual(before + 8);
  });
});
