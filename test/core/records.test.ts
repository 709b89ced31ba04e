import { describe, expect, it } from 'vitest';
import { AgentError } from '../../src/core/errors.ts';
import { editDeployment, editRenewal } from '../../src/core/records.ts';
import { eachWorld } from './each-world.ts';
import { type World, www } from './world.ts';

let world: World;

eachWorld((opened) => {
  world = opened;
});

describe('two writers of one renewal state', () => {
  it('lose nothing, however their reads and writes interleave', async () => {
    const { store } = world;
    const count = () =>
      editRenewal(www, store, (state) => ({ putRenewals: [{ ...state, failures: state.failures + 1 }] }));
    await Promise.all(Array.from({ length: 8 }, count));
    expect((await store.renewals.get(www)).failures).toBe(8);
  });

  it('see what the other wrote: the edit is asked again', async () => {
    const { store } = world;
    const seen: number[] = [];
    await editRenewal(www, store, async (state) => {
      seen.push(state.failures);
      if (seen.length === 1)
        await editRenewal(www, store, (other) => ({ putRenewals: [{ ...other, failures: 5 }] }));
      return { putRenewals: [{ ...state, retryAt: 1 }] };
    });
    expect(seen).toEqual([0, 5]);
    expect(await store.renewals.get(www)).toMatchObject({ failures: 5, retryAt: 1 });
  });

  it('write nothing at all with a refused version: neither due entry nor event', async () => {
    const { store } = world;
    const stale = await store.renewals.get(www);
    await editRenewal(www, store, (state) => ({ putRenewals: [{ ...state, failures: 1 }] }));
    const commit = store.changes.commit({
      putRenewals: [stale],
      due: [{ job: 'issue', id: www, at: 1 }],
      events: [{ type: 'certificate.failed', facts: {} }],
    });
    await expect(commit).rejects.toMatchObject({ code: 'store.conflict' });
    expect(await store.due.next(Number.MAX_SAFE_INTEGER, 10)).toEqual([]);
    expect(await store.events.recent(10)).toEqual([]);
  });

  it('that never come through say so', async () => {
    const { store } = world;
    const edit = editRenewal(
      www,
      {
        renewals: store.renewals,
        changes: {
          commit: async () => {
            throw new AgentError('store.conflict', 'somebody else');
          },
        },
      },
      (state) => ({ putRenewals: [state] }),
    );
    await expect(edit).rejects.toMatchObject({ code: 'store.conflict' });
  });
});

describe('two writers of one deployment', () => {
  it('lose nothing', async () => {
    const { store } = world;
    const at = { target: 'web', lineage: www };
    const count = () =>
      editDeployment(at, store, (one) => ({ putDeployments: [{ ...one, failures: one.failures + 1 }] }));
    await Promise.all(Array.from({ length: 6 }, count));
    expect((await store.deployments.get('web', www))?.failures).toBe(6);
  });
});

describe('a request, a reminder and a failed order that write at once', () => {
  it('all stand in the state afterwards', async () => {
    await world.want({ issuers: ['first'] });
    world.first.ways.verdict = () => ({ type: 'caa', detail: 'CAA forbids' });
    world.gate.once('first.respond', async (proceed) => {
      await world.ask(true);
      await editRenewal(www, world.store, (state) => ({
        putRenewals: [{ ...state, reminders: { ...state.reminders, silencedUntil: 42 } }],
      }));
      world.gate.once('first.newOrder', async () => {
        throw new AgentError('challenge.caa', 'CAA forbids');
      });
      return proceed();
    });
    await world.renew();
    const state = await world.store.renewals.get(www);
    expect(state).toMatchObject({
      failures: 2,
      reminders: { silencedUntil: 42, toldAt: expect.any(Number) },
    });
    // Refused too, and forced: it stands until its turn on the ladder.
    expect(state.requested).toMatchObject({ at: state.retryAt, force: true });
  });
});
