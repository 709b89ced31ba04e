import { describe, expect, it } from 'vitest';
import type { DnsCare, TrialSight } from '../../src/core/dns-care.ts';
import { goOnWithTrial, parseTrial, trialArgument, trialItems } from '../../src/core/dns-doctor.ts';
import { AgentError } from '../../src/core/errors.ts';
import type { Ports } from '../../src/core/ports.ts';
import type { Task, TaskItem } from '../../src/core/types.ts';
import { noDnsCare } from '../support/no-dns-care.ts';

const trial = { key: 'task-1', name: 'www.example.com', account: 'aws.main' };
const servers = ['ns1.example.com', 'ns2.example.com'];
const place = { account: 'aws.main', zone: 'example.com', name: '_acme-challenge.www.example.com' };
const never = new AbortController().signal;

/** A zone whose servers show a record after so long, by a clock that jumps from pause to pause. */
function createScene(delays: Readonly<Record<string, number>>, more: Partial<DnsCare> = {}) {
  let now = 0;
  let items: readonly TaskItem[] = trialItems({
    findings: [],
    servers,
    place: { ...place, isByHand: false },
  });
  const calls: string[] = [];
  const tasks: Ports['tasks'] = {
    get: async () =>
      ({ id: 'task-1', operation: 'dns.doctor', createdAt: 0, state: 'running', items }) as Task,
    list: async () => [],
    settle: async (_, item) => {
      items = items.map((one) => (one.id === item.id ? item : one));
    },
  };
  const clock: Ports['clock'] = {
    now: () => now,
    sleep: async (ms) => {
      now += ms;
    },
    after: () => () => {},
  };
  const dnsCare: DnsCare = {
    ...noDnsCare(),
    beginTrial: async () => void calls.push('begin'),
    seeTrial: async (): Promise<TrialSight> => ({
      acceptedMs: 120,
      ageMs: now,
      shownBy: servers.filter((server) => (delays[server] ?? 0) <= now),
    }),
    endTrial: async () => {
      calls.push('end');
      return true;
    },
    ...more,
  };
  return {
    calls,
    run: () => goOnWithTrial(trial, { tasks, dnsCare, clock }, never),
    pass: (ms: number) => {
      now += ms;
    },
    notes: () => items.map(({ id, state, note }) => `${id}: ${state}${note === undefined ? '' : ` ${note}`}`),
  };
}

describe('a trial of the doctor', () => {
  it('times the vendor and each nameserver, and takes the record away at the end', async () => {
    const { calls, run, notes } = createScene({ 'ns1.example.com': 300, 'ns2.example.com': 2500 });
    expect(await run()).toBeUndefined();
    expect(notes()).toEqual([
      'write: done accepted after 0.12 s',
      expect.stringMatching(/^seen at ns1\.example\.com: done after 0\.\d\d s$/),
      expect.stringMatching(/^seen at ns2\.example\.com: done after [23]\.\d\d s$/),
      'remove: done taken away again',
    ]);
    expect(calls).toEqual(['begin', 'end']);
  });

  it('leaves its worker while a zone is slow, and goes on from what the task says', async () => {
    const { calls, run, pass, notes } = createScene({ 'ns2.example.com': 45_000 });
    const first = await run();
    expect(first?.again).toBeGreaterThan(0);
    expect(notes()[1]).toMatch(/done/);
    expect(notes()[2]).toBe('seen at ns2.example.com: waiting');
    pass(60_000);
    expect(await run()).toBeUndefined();
    expect(calls).toEqual(['begin', 'end']);
    expect(notes()[2]).toMatch(/done after 6\d\.\d\d s/);
  });

  it('gives a server up after ten minutes, and still takes the record away', async () => {
    const { run, pass, notes } = createScene({ 'ns2.example.com': 1e12 });
    await run();
    pass(601_000);
    expect(await run()).toBeUndefined();
    expect(notes().slice(2)).toEqual([
      'seen at ns2.example.com: failed not within 10 minutes',
      'remove: done taken away again',
    ]);
  });

  it('tells what the vendor refuses with what to do, and cleans up', async () => {
    const seeTrial = () =>
      Promise.reject(new AgentError('provider.forbidden', 'the token may not write TXT'));
    const { calls, run, notes } = createScene({}, { seeTrial });
    expect(await run()).toBeUndefined();
    expect(notes()).toEqual([
      'write: failed the token may not write TXT. Give the credentials the right to change TXT records of this name.',
      'seen at ns1.example.com: skipped nothing was written',
      'seen at ns2.example.com: skipped nothing was written',
      'remove: done taken away again',
    ]);
    expect(calls).toEqual(['begin', 'end']);
  });

  it('says that what could not be taken away goes later', async () => {
    const endTrial = () => Promise.reject(new AgentError('provider.unavailable', 'the vendor is down'));
    const { run, notes } = createScene({}, { endTrial });
    expect(await run()).toBeUndefined();
    expect(notes().at(-1)).toMatch(
      /^remove: failed the vendor is down\. .* It is taken away later by itself\.$/,
    );
  });

  it('ends without a word to the store when that is away: the next run goes on', async () => {
    const beginTrial = () => Promise.reject(new AgentError('store.unavailable', 'Redis is away'));
    const { run, notes } = createScene({}, { beginTrial });
    await expect(run()).rejects.toMatchObject({ code: 'store.unavailable' });
    expect(notes()[0]).toBe('write: waiting');
  });

  it('is not made where a person writes, nor where nobody does', () => {
    expect(trialItems({ findings: [], servers, place: { ...place, isByHand: true } })).toEqual([
      { id: 'write', state: 'skipped', note: 'a person writes there; nothing was tried' },
    ]);
    expect(trialItems({ findings: [], servers: [] })).toEqual([]);
  });

  it('is named by an argument that holds all it needs', () => {
    expect(parseTrial(trialArgument(trial))).toEqual(trial);
  });
});

it('comes back for a zone that is long in being found, instead of giving the trial up', async () => {
  let asks = 0;
  const scene = createScene(
    {},
    {
      beginTrial: async () => {
        asks++;
        if (asks < 4) throw new AgentError('provider.throttled', 'it takes long', { retryAt: asks * 5000 });
      },
    },
  );
  await scene.run();
  scene.pass(20_000);
  await scene.run();
  expect(asks).toBe(4);
  expect(scene.notes()[0]).toMatch(/: done accepted/);
});
