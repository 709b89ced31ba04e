import { expect } from 'vitest';
import { digest, type Suite } from './suite.ts';

const signal = new AbortController().signal;

/** Points 14 to 19, 22 and 26: refusals, faults, batches, aborts. */
export function describeFaults(suite: Suite): void {
  const { traits, subject, at, add, remove, apply, expectGone, point } = suite;

  point(
    14,
    async () => {
      const { zone, calls = () => 0, provider: good, withWrongCredentials } = subject();
      const provider = withWrongCredentials?.() ?? good;
      const before = calls();
      const applied = provider.apply(zone, [add(at('auth'), digest)], signal);
      await expect(applied).rejects.toMatchObject({ code: 'provider.auth', retry: 'blocked' });
      expect(calls() - before).toBeLessThanOrEqual(1);
    },
    { part: 'withWrongCredentials' },
  );

  for (const seconds of [undefined, 1])
    point(
      15,
      async () => {
        const { throttleOnce, calls = () => 0 } = subject();
        const quiet = calls();
        await apply([add(at('calm'), digest)]);
        const usual = calls() - quiet;
        const before = calls();
        throttleOnce?.(seconds);
        await apply([add(at('haste'), digest)]);
        expect(calls() - before).toBeLessThanOrEqual(2 * usual);
        expect(await subject().txt(at('haste'))).toEqual([digest]);
        await apply([remove(at('haste'), digest), remove(at('calm'), digest)]);
      },
      { part: 'throttleOnce', detail: `Retry-After ${seconds ?? 'absent'}` },
    );

  point(
    16,
    async () => {
      subject().failOnce?.();
      await apply([add(at('fault'), digest)]);
      expect(await subject().txt(at('fault'))).toEqual([digest]);
      subject().failOnce?.();
      await apply([remove(at('fault'), digest)]);
    },
    { part: 'failOnce', detail: 'a fault before anything is done' },
  );

  point(
    16,
    async () => {
      const { shake, failOnce, txt } = subject();
      const names = Array.from({ length: 6 }, (_, index) => at(`shaken-${index}`));
      const each = async (change: typeof add) => {
        shake?.(0.1);
        for (const name of names) {
          if (shake === undefined) failOnce?.();
          await apply([change(name, digest)]);
        }
        shake?.(0);
      };
      await each(add);
      for (const name of names) expect(await txt(name)).toEqual([digest]);
      await each(remove);
      for (const name of names) await expectGone(name);
    },
    { part: 'failOnce', detail: 'faults at random' },
  );

  point(
    16,
    async () => {
      subject().loseAnswerOnce?.();
      await apply([add(at('lost'), digest)]).catch(() => apply([add(at('lost'), digest)]));
      expect(await subject().txt(at('lost'))).toEqual([digest]);
      subject().loseAnswerOnce?.();
      await apply([remove(at('lost'), digest)]).catch(() => apply([remove(at('lost'), digest)]));
      await expectGone(at('lost'));
    },
    { part: 'loseAnswerOnce', detail: 'the answer to a change that was made is lost' },
  );

  describeBatches(suite);

  point(
    19,
    async () => {
      const hang = subject().hangOnce?.();
      const abort = new AbortController();
      const reason = new Error('the agent stops');
      const running = subject().provider.apply(subject().zone, [add(at('abort'), digest)], abort.signal);
      await Promise.race([hang?.reached, running]);
      abort.abort(reason);
      await expect(running).rejects.toBe(reason);
      hang?.release();
      // The change may still be made now that nobody waits for it, after all: whoever cleans up takes it away.
      await apply([remove(at('abort'), digest)]);
      await expectGone(at('abort'));
    },
    { part: 'hangOnce' },
  );

  point(
    22,
    async () => {
      const { provider, zone, isPublished } = subject();
      const { ticket = '' } = await provider.apply(zone, [add(at('live'), digest)], signal);
      const isLive = async () => (await provider.live?.(ticket, signal)) === true;
      expect(await isLive()).toBe(false);
      while (!(await isLive()));
      expect(await isPublished?.(at('live'), digest)).toBe(true);
      await apply([remove(at('live'), digest)]);
    },
    {
      part: 'isPublished',
      unless:
        traits.propagation.signal === 'api'
          ? undefined
          : 'the vendor does not tell when a change is served (trait propagation.signal)',
    },
  );

  point(
    26,
    async () => {
      expect(subject().provider.check).toBeDefined();
      await expect(subject().provider.check?.(signal)).resolves.toBeUndefined();
    },
    { detail: 'a good one' },
  );

  point(
    26,
    async () => {
      const provider = subject().withWrongCredentials?.();
      await expect(provider?.check?.(signal)).rejects.toMatchObject({ code: 'provider.auth' });
    },
    { part: 'withWrongCredentials', detail: 'one with wrong credentials' },
  );
}

function describeBatches({ traits, subject, at, add, remove, apply, point }: Suite): void {
  point(
    17,
    async () => {
      const { provider, zone, refused, txt } = subject();
      const good = Array.from({ length: 19 }, (_, index) => add(at(`good-${index}`), digest));
      const all = refused === undefined ? good : [...good, refused];
      const outcomes = await provider.apply(zone, all, signal).then(
        (result) => result.outcomes.map(({ ok }) => ok),
        () => 'rejected' as const,
      );
      if (outcomes === 'rejected') {
        // All or nothing: the engine halves the batch until the bad one is alone.
        expect(traits.batch.atomic).toBe(true);
        for (const { name } of all) expect(await txt(name)).toEqual([]);
        await apply(all).then(
          () => expect.unreachable('the bad one was taken'),
          () => {},
        );
      } else {
        expect(outcomes).toEqual(all.map((change) => change !== refused));
      }
      for (const { name } of good) expect(await txt(name)).toEqual([digest]);
      await apply(good.map(({ name, value }) => remove(name, value)));
    },
    {
      part: 'refused',
      unless: traits.batch.maxChanges === 1 ? 'it makes one change a call (trait batch)' : undefined,
    },
  );

  point(18, async () => {
    const { calls = () => 0, txt } = subject();
    // More than fit in one call; where each is a call of its own, fewer say the same.
    const count = Math.min(500, Math.max(10, 2 * traits.batch.maxChanges + 1));
    const changes = Array.from({ length: count }, (_, index) => add(at(`bulk-${index}`), digest));
    const before = calls();
    await apply(changes);
    // A call to look, one to change, one to see it done; far fewer where many go in one.
    expect(calls() - before).toBeLessThanOrEqual(3 * count);
    for (const index of [0, count - 1]) expect(await txt(at(`bulk-${index}`))).toEqual([digest]);
    await apply(changes.map((change) => ({ ...change, op: 'remove' })));
  });
}
