import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AgentError } from '../../../src/core/errors.ts';
import { editRenewal } from '../../../src/core/records.ts';
import { dueOfLineage } from '../../../src/core/renewal/next-action.ts';
import { resumed } from '../../../src/core/renewal/pause.ts';
import type { Domain } from '../../../src/core/types.ts';
import { changeWishes } from '../../../src/core/wishes/reconcile.ts';
import { failing } from '../gate.ts';
import { aDomain, day, hour, minute, t0 } from '../given.ts';
import { startWorlds, type World, type Worlds, www } from '../world.ts';

const url = 'https://portal.first.test/unpause?jwt=abc';
const message = `first: Your account is temporarily prevented from requesting certificates for www.example.com. Please visit: ${url}`;

let worlds: Worlds;
let world: World;
let asked: number[];

beforeAll(async () => {
  worlds = await startWorlds();
});
afterAll(() => worlds.stop());
beforeEach(async () => {
  world = await worlds.open();
  asked = [];
});

/** From now on the first CA takes no order, until a person was there. */
function pause(): { end(): void } {
  world.gate.always('first.newOrder', async () => {
    asked.push(world.clock.now());
    throw new AgentError('acme.paused', message, {
      facts: { status: 429, problem: { type: 'rateLimited' } },
    });
  });
  return { end: () => world.gate.always('first.newOrder', undefined) };
}

/** One certificate for these names is wanted. */
async function group(names: readonly string[], change: Partial<Domain>): Promise<void> {
  const putGroups = [{ domain: 'example.com', label: 'g', names, origin: { kind: 'runtime' as const } }];
  const domain = aDomain({ mode: 'custom', challenge: 'http-01', ...change });
  await world.run(changeWishes('example.com', () => ({ domain, putGroups }), world.needs));
}

const state = () => world.store.renewals.get(www);
const issuer = async () => (await world.store.certificates.certificate(www))?.issuer;

/** As the command does it. */
async function retry(task?: string, id = www): Promise<void> {
  const lineage = await world.store.certificates.lineage(id);
  if (lineage === undefined) throw new Error('nothing to retry');
  const certificate = await world.store.certificates.certificate(id);
  const now = world.clock.now();
  await editRenewal(id, world.store, (before) => {
    const next = { ...resumed(before), requested: { at: now, force: false, task } };
    return { putRenewals: [next], due: dueOfLineage({ lineage, certificate, state: next, now }) };
  });
}

describe('an issuer that has paused a name', () => {
  it('is asked for what was forced meanwhile when the pause is over', async () => {
    await world.want({ issuers: ['first'] });
    await world.live(minute);
    const [since, names] = [world.clock.now(), ['www.example.com']];
    const paused = { first: { names, since, retryAt: since + 7 * day, message } };
    await editRenewal(www, world.store, (before) => ({ putRenewals: [{ ...before, paused }] }));
    await world.ask(true);
    await world.live(hour);
    expect(world.first.orders).toHaveLength(1);
    expect((await state()).requested).toMatchObject({ force: true, at: paused.first.retryAt });
    await world.live(8 * day);
    expect(world.first.orders).toHaveLength(2);
    expect((await state()).requested).toBeUndefined();
  });

  it('is left for the next one at once, and a person is told the address', async () => {
    await world.want();
    pause();
    await world.live(hour);
    expect(asked).toHaveLength(1);
    expect(await issuer()).toBe('second');
    const [failed] = await world.events('certificate.failed', www);
    expect(failed?.facts).toMatchObject({
      code: 'acme.paused',
      tell: true,
      message: expect.stringContaining(url),
    });
    const notices = world.mail.messages.flatMap((one) => one.notices);
    expect(notices[0]).toMatchObject({ kind: 'failed', message: expect.stringContaining(url) });
  });

  it('is not asked at the next renewals within the week, though another issuer did well meanwhile', async () => {
    world.second.ways.lifetimeMs = 4 * day;
    await world.want();
    pause();
    await world.live(6 * day);
    expect(world.second.finalized().length).toBeGreaterThan(2);
    expect(asked).toHaveLength(1);
    await world.live(8 * day);
    expect(asked.length).toBeGreaterThan(1);
    for (const [index, at] of asked.slice(1).entries())
      expect(at - (asked[index] ?? 0)).toBeGreaterThanOrEqual(7 * day);
  });

  it('is none any more once it issued', async () => {
    await world.want({ issuers: ['first'] });
    const { end } = pause();
    await world.live(day);
    end();
    await world.live(8 * day);
    expect(await issuer()).toBe('first');
    expect((await state()).paused).toBeUndefined();
  });

  it('is asked once a week where it is the only one, whatever the ladder says', async () => {
    await world.want({ issuers: ['first'] });
    pause();
    await world.live(30 * day);
    expect(asked).toHaveLength(5);
    for (const [index, at] of asked.slice(1).entries())
      expect(at - (asked[index] ?? 0)).toBeGreaterThanOrEqual(7 * day);
  });

  it('is not asked for a renewal that somebody asks for: the answer names the way out', async () => {
    await world.want({ issuers: ['first'] });
    pause();
    await world.live(hour);
    const task = { id: 'task-1', operation: 'renew', createdAt: t0, state: 'running' as const };
    const items = [{ id: www, state: 'waiting' as const }];
    await world.store.changes.commit({ putTasks: [{ ...task, items }] });
    await world.ask(true, 'task-1');
    await world.live(minute);
    expect(asked).toHaveLength(1);
    expect(await world.store.tasks.get('task-1')).toMatchObject({
      state: 'failed',
      items: [{ note: expect.stringMatching(`${url.replace('?', '\\?')}.*acme-agent retry ${www}`) }],
    });
    expect((await state()).paused).toMatchObject({ first: { since: expect.closeTo(t0, -5) } });
    expect(await world.store.due.at('issue', www)).toBeGreaterThan(t0 + 7 * day - minute);
  });

  it('is asked at once when a person says so, and then as ever', async () => {
    await world.want({ issuers: ['first'] });
    const paused = pause();
    await world.live(hour);
    paused.end();
    await retry();
    await world.live(minute);
    expect(await issuer()).toBe('first');
    expect((await state()).paused).toBeUndefined();
  });

  it('is the first one again after that, where another issuer stood in', async () => {
    await world.want();
    const paused = pause();
    await world.live(hour);
    expect(await issuer()).toBe('second');
    paused.end();
    await retry();
    await world.live(minute);
    expect(world.first.orders).toHaveLength(0);
    await world.ask(true);
    await world.live(minute);
    expect(await issuer()).toBe('first');
  });

  it('is not asked for another wish that still has the paused name; retry asks it at once', async () => {
    await world.want({ issuers: ['first'] });
    const paused = pause();
    await world.live(hour);
    await world.want({ issuers: ['first'], challenge: 'dns-01', dnsAccount: 'zone' });
    await world.want({ issuers: ['first'], keyTypes: ['p384'] });
    await world.live(day);
    expect(asked).toHaveLength(1);
    expect(await world.store.due.at('issue', www)).toBeGreaterThan(t0 + 7 * day - minute);
    paused.end();
    await retry();
    await world.live(minute);
    expect(await issuer()).toBe('first');
  });

  it('is asked at once when an edit takes out the name that it named, and not when it takes out another', async () => {
    const names = ['a.example.com', 'www.example.com', 'c.example.com'];
    await group(names, { issuers: ['first'] });
    const paused = pause();
    await world.live(hour);
    await group(names.slice(0, 2), { issuers: ['first'] });
    await world.live(hour);
    expect(asked).toHaveLength(1);
    paused.end();
    await group(names.slice(0, 1), { issuers: ['first'] });
    await world.live(minute);
    expect(await world.store.certificates.certificate('example.com/g/ec')).toMatchObject({
      names: ['a.example.com'],
    });
  });

  it('does not keep the others of a failing lineage from their ladder', async () => {
    await world.want();
    pause();
    world.second.ways.verdict = () => ({ type: 'unauthorized', detail: 'somebody else answered' });
    await world.live(3 * hour);
    expect(asked).toHaveLength(1);
    expect(world.second.orders.length).toBeGreaterThanOrEqual(3);
  });

  it('in a file that names it no more is forgotten with it; a clock set back does not prolong the pause', async () => {
    await world.want({ issuers: ['first'] });
    pause();
    await world.live(hour);
    world.clock.jump(-60 * day);
    await world.ask(false);
    await world.live(minute);
    expect(asked).toHaveLength(2);
  });
});

describe('a name that the CA paused among others of one order', () => {
  it('is left out for a week where the domain may do without it, whatever is edited, or until retry', async () => {
    const names = ['a.example.com', 'b.example.com'];
    await group(names, { issuers: ['first'], partial: true });
    world.gate.always('first.newOrder', async (proceed, [order]) => {
      if (!(order as { names: string[] }).names.includes('b.example.com')) return proceed();
      asked.push(world.clock.now());
      const identifier = { type: 'dns', value: 'b.example.com' };
      const problem = {
        type: 'rateLimited',
        subproblems: [{ type: 'rateLimited', detail: url, identifier }],
      };
      throw new AgentError('acme.paused', message, { facts: { status: 429, problem } });
    });
    await world.live(2 * day);
    await group([...names, 'c.example.com'], { issuers: ['first'], partial: true });
    await world.live(13 * day);
    const held = await world.store.certificates.certificate('example.com/g/ec');
    expect(held?.names).toEqual(['a.example.com', 'c.example.com']);
    expect(asked).toHaveLength(3);
    expect(asked[1]).toBeGreaterThan(t0 + 7 * day - minute);
    await retry(undefined, 'example.com/g/ec');
    await world.live(minute);
    expect(asked).toHaveLength(4);
  });

  it('is tried again as soon as the CA can be asked, once a person has said that the pause is over', async () => {
    const names = ['a.example.com', 'b.example.com'];
    await group(names, { issuers: ['first'], partial: true });
    const problem = {
      type: 'compound',
      subproblems: [{ type: 'rateLimited', identifier: { type: 'dns', value: 'b.example.com' } }],
    };
    const refusal = new AgentError('acme.paused', message, { facts: { status: 429, problem } });
    world.gate.once('first.newOrder', failing(refusal));
    await world.live(2 * day);
    const held = async () => (await world.store.certificates.certificate('example.com/g/ec'))?.names;
    expect(await held()).toEqual(['a.example.com']);
    world.gate.once('first.newOrder', failing(new AgentError('acme.server', 'the CA has a fault')));
    await retry(undefined, 'example.com/g/ec');
    await world.live(hour);
    expect(await held()).toEqual(names);
  });
});
