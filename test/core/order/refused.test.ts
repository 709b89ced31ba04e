import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AgentError } from '../../../src/core/errors.ts';
import { changeWishes } from '../../../src/core/wishes/reconcile.ts';
import { failing, losingAnswer } from '../gate.ts';
import { aDomain, day } from '../given.ts';
import { problemError } from '../scripted-ca.ts';
import { startWorlds, type World, type Worlds } from '../world.ts';

let worlds: Worlds;
let world: World;

beforeAll(async () => {
  worlds = await startWorlds();
});
afterAll(() => worlds.stop());
beforeEach(async () => {
  world = await worlds.open();
  const limits = {
    ordersPerAccount: { count: 10, perMs: 100 * day },
    certificatesPerNames: { count: 5, perMs: 100 * day },
  };
  world.limited.push({ name: 'first', directoryUrl: 'https://first.test/directory', limits });
});

async function left(): Promise<readonly number[]> {
  const levels = await world.needs.budget.levels('first', [['www.example.com']]);
  return levels.filter(({ count }) => count !== undefined).map((level) => level.left);
}

const problem = (type: string, status: number) => problemError({ type, detail: `about ${type}` }, status);
const refusal = problem('rejectedIdentifier', 403);

describe('an order that the CA refuses to make', () => {
  it('costs nothing: the CA counts those that it made', async () => {
    await world.want({ issuers: ['first'] });
    world.gate.once('first.newOrder', failing(refusal));
    await world.work();
    expect(await left()).toEqual([10, 5]);
  });

  it('costs nothing where it was refused with "replaces", and without it too', async () => {
    const group = async (...names: string[]) => {
      const putGroups = [{ domain: 'example.com', label: 'g', names, origin: { kind: 'runtime' as const } }];
      const domain = aDomain({ mode: 'custom', issuers: ['first'], challenge: 'http-01' });
      await world.run(changeWishes('example.com', () => ({ domain, putGroups }), world.needs));
      await world.work();
    };
    await group('www.example.com');
    world.gate.once('first.newOrder', failing(problem('alreadyReplaced', 409)));
    world.gate.once('first.newOrder', failing(refusal));
    await group('www.example.com', 'shop.example.com');
    expect(world.gate.calls.filter((call) => call === 'first.newOrder')).toHaveLength(3);
    expect(await left()).toEqual([9, 4]);
  });

  it('for one of its names is not asked for again without "replaces"', async () => {
    await world.want({ issuers: ['first'] });
    await world.work();
    const identifier = { type: 'dns' as const, value: 'www.example.com' };
    const subproblems = [{ type: 'rejectedIdentifier', detail: 'on our list', identifier }];
    const refused = problemError({ type: 'rejectedIdentifier', subproblems }, 403);
    world.gate.once('first.newOrder', failing(refused));
    await world.ask(true);
    await world.work();
    expect(world.gate.calls.filter((call) => call === 'first.newOrder')).toHaveLength(2);
  });

  it.each([
    ['has an internal fault', failing(problem('serverInternal', 500))],
    ['has come to the end of a limit', failing(problem('rateLimited', 429))],
    ['is not heard, though it acted', losingAnswer(new AgentError('acme.network', 'lost'))],
    [
      'is hidden behind a proxy that refuses',
      failing(new AgentError('acme.response', 'no', { facts: { status: 403 } })),
    ],
  ])('keeps what it cost where the CA %s', async (_, step) => {
    await world.want({ issuers: ['first'] });
    world.gate.once('first.newOrder', step);
    await world.work();
    expect(await left()).toEqual([9, 5]);
  });

  it('is not given back what it cost by another run, which cannot know what became of it', async () => {
    await world.want({ issuers: ['first'] });
    world.gate.once('first.newOrder', async (proceed) => {
      world.gate.dieAt(1, 'before');
      return proceed();
    });
    await world.renew().catch(() => undefined);
    await world.takeOver();
    world.gate.once('first.newOrder', failing(refusal));
    await world.work();
    expect((await left())[0]).toBe(9);
  });
});
