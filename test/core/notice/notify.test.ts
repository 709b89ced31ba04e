import { describe, expect, it } from 'vitest';
import { AgentError } from '../../../src/core/errors.ts';
import { deliver, fanOut, fanOutId } from '../../../src/core/notice/notify.ts';
import type { NewEvent } from '../../../src/core/types.ts';
import { eachWorld } from '../each-world.ts';
import { failing } from '../gate.ts';
import { day, hour, minute, t0 } from '../given.ts';
import type { World } from '../world.ts';

let world: World;

eachWorld((opened) => {
  world = opened;
});

const away = failing(new AgentError('notify.failed', 'the mail server is away'));

/** A domain without hosts, so that nothing but the test makes events. */
async function quietDomain(contacts: readonly string[] = ['a@example.com']): Promise<void> {
  await world.want({ contacts, deploy: [] }, []);
}

function failure(name: string, facts: object = {}): NewEvent {
  return {
    type: 'certificate.failed',
    domain: 'example.com',
    lineage: `example.com/${name}/ec`,
    facts: { tell: true, code: 'challenge.dns', message: 'NXDOMAIN', names: [name], ...facts },
  };
}

async function happen(...events: readonly NewEvent[]): Promise<void> {
  await world.store.changes.commit({ events });
}

const mails = () => world.mail.messages.map(({ notices }) => notices.flatMap(({ names }) => names));

describe('notices', () => {
  it('of one moment come in one message to people, and to programs as well', async () => {
    await quietDomain();
    await happen(failure('x'), failure('y'), failure('z'));
    await world.live(minute);
    expect(mails()).toEqual([['x', 'y', 'z']]);
    expect(world.hook.messages.flatMap(({ notices }) => notices)).toHaveLength(3);
    expect(world.mail.messages[0]?.notices[0]).toMatchObject({
      kind: 'failed',
      message: 'NXDOMAIN',
      code: 'challenge.dns',
      recipients: ['a@example.com'],
    });
    expect(world.mail.messages[0]?.notices[0]?.advice).toMatch(/resolves/);
  });

  it('reach a recipient at most once an hour, and none is lost', async () => {
    await quietDomain();
    for (let step = 0; step < 24; step++) {
      await happen(failure(`n${step}`));
      await world.live(10 * minute);
    }
    await world.live(2 * hour);
    const at = world.mail.messages.map((message) => message.at);
    const gaps = at.slice(1).map((one, index) => one - (at[index] ?? 0));
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(hour);
    expect(mails().flat()).toEqual(Array.from({ length: 24 }, (_, step) => `n${step}`));
    expect(world.hook.messages).toHaveLength(24);
  });

  it('go to each recipient alone, so that one refused address holds up nobody', async () => {
    await quietDomain(['a@example.com', 'bad@example.com', 'c@example.com']);
    world.gate.always('mail.send', async (proceed, [, recipient]) => {
      if (recipient === 'bad@example.com') throw new AgentError('notify.failed', 'no such mailbox');
      return proceed();
    });
    await happen(failure('x'));
    await world.live(20 * minute);
    expect(world.mail.messages.map(({ recipient }) => recipient)).toEqual(['a@example.com', 'c@example.com']);
    world.gate.always('mail.send', undefined);
    await world.live(15 * minute);
    expect(world.mail.messages.map(({ recipient }) => recipient).at(-1)).toBe('bad@example.com');
    expect(world.mail.messages).toHaveLength(3);
  });

  it('are tried again after 1, 2, 4 … 60 minutes until somebody takes them, and dropped after a week', async () => {
    await quietDomain();
    const tries: number[] = [];
    world.gate.always('mail.send', async () => {
      tries.push(world.clock.now());
      throw new AgentError('notify.failed', 'the mail server is away');
    });
    await happen(failure('x'));
    await world.live(12 * hour);
    const pauses = tries.slice(1).map((at, index) => Math.round((at - (tries[index] ?? 0)) / minute));
    expect(pauses.slice(0, 9)).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60]);
    await world.live(7 * day);
    expect(tries.length).toBeLessThan(180);
    expect(await world.store.outbox.list('mail')).toEqual([]);
    expect(await world.store.due.at('notify', 'mail')).toBeUndefined();
    expect(world.log.some((line) => line.includes('nobody took them for a week'))).toBe(true);
  });

  it('of new events do not shorten the wait for a notifier that is away, and come in their order', async () => {
    await quietDomain();
    world.gate.always('hook.send', away);
    const names = Array.from({ length: 40 }, (_, index) => `n${index}`);
    for (const name of names.slice(0, 20)) {
      await happen(failure(name));
      await world.live(3 * minute);
    }
    // Those of one write have ids that differ in their number only.
    await happen(...names.slice(20).map((name) => failure(name)));
    await world.live(minute);
    expect(world.gate.calls.filter((call) => call === 'hook.send').length).toBeLessThanOrEqual(7);
    world.gate.always('hook.send', undefined);
    await world.live(hour);
    const got = world.hook.messages.flatMap(({ notices }) => notices.flatMap((notice) => notice.names));
    expect(got).toEqual(names);
    expect(mails().flat()).toEqual(names);
  });

  it('write one line when a notifier is lost and one when it is back', async () => {
    await quietDomain();
    world.gate.always('hook.send', away);
    await happen(failure('x'));
    await world.live(day);
    world.gate.always('hook.send', undefined);
    await world.live(2 * hour);
    const lines = world.log.filter((line) => !line.startsWith('debug') && line.includes('deliver'));
    expect(lines.map((line) => line.split(' {')[0])).toEqual([
      'warn notices are not delivered; they are tried again',
      'info notices are delivered again',
    ]);
  });

  it('wait as long as the receiver asks, and an hour at once where it refuses for good', async () => {
    await quietDomain();
    const retryAt = t0 + 3 * hour;
    world.gate.once('hook.send', failing(new AgentError('notify.failed', 'busy', { retryAt })));
    world.gate.once('mail.send', failing(new AgentError('notify.rejected', 'not for you')));
    await happen(failure('x'));
    await world.live(hour - minute);
    expect(world.mail.messages).toEqual([]);
    await world.live(3 * hour);
    expect(world.mail.messages[0]?.at).toBeLessThan(t0 + hour + 2 * minute);
    expect(world.hook.messages[0]?.at).toBeGreaterThanOrEqual(retryAt);
  });

  it('come though another notifier never answers, which frees its worker after three minutes', async () => {
    await quietDomain();
    world.gate.always('mail.send', () => world.gate.aside(new Promise(() => {})));
    await happen(failure('x'));
    await world.handle('notify', fanOutId);
    await world.handle('notify', 'mail');
    expect(world.clock.now() - t0).toBeLessThan(4 * minute);
    expect(await world.store.due.at('notify', 'mail')).toBeGreaterThan(world.clock.now());
    await world.handle('notify', 'hook');
    expect(world.hook.messages).toHaveLength(1);
  });

  it('of a domain whose notifier is no longer in the file go to the default ones, which is logged once', async () => {
    await world.want({ contacts: ['a@example.com'], deploy: [], notify: ['gone'] }, []);
    world.settings.defaults = { ...world.settings.defaults, notify: ['hook'] };
    for (const name of ['x', 'y']) {
      await happen(failure(name));
      await world.live(minute);
    }
    expect(world.hook.messages.flatMap(({ notices }) => notices.map(({ names }) => names[0]))).toEqual([
      'x',
      'y',
    ]);
    expect(world.mail.messages).toEqual([]);
    const lines = world.log.filter((line) => line.includes('no such notifier'));
    expect(lines).toEqual([expect.stringContaining('"instead":["hook"]')]);
  });

  it('go to all notifiers where the default ones are gone as well, once each', async () => {
    await world.want({ contacts: ['a@example.com'], deploy: [], notify: ['hook', 'gone', 'lost'] }, []);
    await happen(failure('x'));
    await world.live(minute);
    expect(world.hook.messages.flatMap(({ notices }) => notices)).toHaveLength(1);
    expect(mails()).toEqual([['x']]);
  });

  it('that wait for a notifier when it is taken out of the file are handed to the others', async () => {
    await quietDomain();
    await world.store.outbox.add('gone', [
      {
        ...{ id: '1-1', kind: 'failed', at: t0, domain: 'example.com', names: ['x'], message: 'NXDOMAIN' },
        recipients: ['a@example.com'],
      },
    ]);
    await world.store.changes.commit({ due: [{ job: 'notify', id: 'gone', at: t0 }] });
    await world.live(2 * minute);
    expect(mails()).toEqual([['x']]);
    expect(await world.store.outbox.list('gone')).toEqual([]);
    expect(await world.store.due.at('notify', 'gone')).toBeUndefined();
  });

  it('that nobody can be told wait until the file defines a notifier again', async () => {
    await quietDomain();
    const nobody = { ...world.needs, notifiers: { get: () => undefined, all: () => [] } };
    await world.store.outbox.add('mail', [
      {
        ...{ id: '1-1', kind: 'failed', at: t0, domain: 'example.com', names: ['y'], message: 'NXDOMAIN' },
        recipients: ['a@example.com'],
      },
    ]);
    await world.run(deliver('mail', nobody, new AbortController().signal));
    expect(mails()).toEqual([]);
    await world.live(hour);
    expect(mails().flat()).toContain('y');
  });

  it('are not made for what people need not know', async () => {
    await quietDomain();
    await happen(
      failure('x', { tell: false }),
      { type: 'certificate.issued', domain: 'example.com', facts: {} },
      { type: 'certificate.failed', domain: 'gone.test', facts: { tell: true } },
      { type: 'command.done', facts: {} },
    );
    await world.live(hour);
    expect(world.mail.messages).toEqual([]);
    expect(world.hook.messages).toEqual([]);
    expect(await world.store.due.at('notify', fanOutId)).toBeUndefined();
  });

  it('of an event that comes while the last ones are sent are sent, too', async () => {
    await quietDomain();
    await happen(failure('x'));
    world.gate.once('hook.send', async (proceed) => {
      await happen(failure('late'));
      // As another worker would; the job that it wakes for this notifier finds ours running.
      await world.gate.aside(fanOut(world.needs));
      return proceed();
    });
    await world.handle('notify', fanOutId);
    await world.handle('notify', 'hook');
    await world.handle('notify', 'mail');
    const names = world.hook.messages.flatMap(({ notices }) => notices.flatMap((notice) => notice.names));
    expect(names).toEqual(['x', 'late']);
  });

  it('are made once more, with the same id, after a kill between outbox and acknowledgement', async () => {
    await quietDomain();
    await happen(failure('x'));
    let deaths = 0;
    for (let isOver = false; !isOver; ) {
      world.gate.dieAt(deaths + 1, 'after');
      await world.handle('notify', fanOutId).catch(() => undefined);
      isOver = !world.gate.isDead;
      if (!isOver) deaths++;
      await world.takeOver();
    }
    expect(deaths).toBeGreaterThan(2);
    await world.live(2 * hour);
    expect(mails()).toEqual([['x']]);
    expect(world.hook.messages.flatMap(({ notices }) => notices)).toHaveLength(1);
  });

  it('reach people again after a clock that stood ten years ahead when the last one was sent', async () => {
    await quietDomain();
    world.clock.jump(3650 * day);
    await happen(failure('then'));
    await world.live(minute);
    world.clock.jump(-3650 * day);
    await happen(failure('now'));
    await world.handle('notify', fanOutId);
    await world.live(2 * minute);
    expect(mails()).toEqual([['then'], ['now']]);
    expect(world.clock.now()).toBeLessThan(t0 + hour);
  });
});
