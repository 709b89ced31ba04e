import { describe, expect, it } from 'vitest';
import { systemClock as clock } from '../../src/clock.ts';
import { withPatience } from '../../src/dns/deadline.ts';
import { never } from './stage.ts';

const longMs = 600_000;
const endless = new Promise<never>(() => {});

describe('what is waited for with patience', () => {
  it('is heard when it is there, also where that is nothing', async () => {
    const wait = { clock, signal: never };
    await expect(withPatience(Promise.resolve('done'), longMs, wait)).resolves.toEqual({ value: 'done' });
    await expect(withPatience(Promise.resolve(), longMs, wait)).resolves.toEqual({ value: undefined });
  });

  it('is told when it fails', async () => {
    const failed = Promise.reject(new Error('it failed'));
    await expect(withPatience(failed, longMs, { clock, signal: never })).rejects.toThrow('it failed');
  });

  it('goes on by itself when it takes longer', async () => {
    await expect(withPatience(endless, 1, { clock, signal: never })).resolves.toBeUndefined();
  });

  it('is left when whoever waits is called away, with the reason of that', async () => {
    const leaving = new AbortController();
    const waiting = withPatience(endless, longMs, { clock, signal: leaving.signal });
    leaving.abort(new Error('called away'));
    await expect(waiting).rejects.toThrow('called away');
  });
});
