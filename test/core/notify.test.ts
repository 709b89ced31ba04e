import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AgentError } from '../../src/core/errors.ts';
import { fanOut, fanOutId } from '../../src/core/notify.ts';
import type { NewEvent } from '../../src/core/types.ts';
import { failing } from './gate.ts';
import { day, hour, minute, t0 } from './given.ts';
import { startWorlds, type World, type Worlds } from './world.ts';

let worlds: Worlds;
let world: World;

beforeAll(async () => {
  worlds = await startWorlds();
});
afterAll(() => worlds.stop());
beforeEach(async () => {
  world = await worlds.open();
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
    await world.live(10 * minute);
    expect(world.mail.messages.map(({ recipient }) => recipient).at(-1)).toBe('bad@example.com');
    expect(world.mail.messages).toHaveLength(3);
  });

  it('are repeated until somebody takes them, and dropped after a week', async () => {
    await quietDomain();
    world.gate.always('mail.send', away);
    await happen(failure('x'));
    await world.live(hour);
    const tries = world.gate.calls.filter((call) => call === 'mail.send').length;
    expect(tries).toBeGreaterThanOrEqual(12);
    await world.live(7 * day);
    expect(await world.store.outbox.list('mail')).toEqual([]);
    expect(await world.store.due.at('notify', 'mail')).toBeUndefined();
    expect(world.log.some((line) => line.includes('nobody took them for a week'))).toBe(true);
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
    for (let count = 1; ; count++) {
      world.gate.dieAt(count, 'after');
      await world.handle('notify', fanOutId).catch(() => undefined);
      const died = world.gate.isDead;
      await world.takeOver();
      if (!died) break;
    }
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
