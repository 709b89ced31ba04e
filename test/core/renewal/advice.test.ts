import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { adviceDueAt, takeAdvice } from '../../../src/core/renewal/advice.ts';
import { renewalPoint } from '../../../src/core/renewal/renewal.ts';
import { aState, day, hour, minute, t0 } from '../given.ts';

const certificate = { notBefore: t0, notAfter: t0 + 90 * day };
const draw = { certificate, ceilingMs: 30 * day, ownAt: t0 + 61 * day, random: 0.5, now: t0 };
const window = { start: t0 + 65 * day, end: t0 + 67 * day };
const instants = fc.integer({ min: -400 * day, max: 800 * day });
const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

describe('advice of the CA', () => {
  it('is followed at a random point of its window', () => {
    const at = (value: number) => takeAdvice({}, window, { ...draw, random: value }).window?.chosenAt;
    expect(at(0)).toBe(window.start);
    expect(at(0.25)).toBe(window.start + day / 2);
    expect(at(0.999_999)).toBeLessThan(window.end);
  });

  it('keeps its chosen instant while the window stays, whatever else is said', () => {
    const first = takeAdvice({}, window, draw);
    const again = takeAdvice(
      first,
      { ...window, explanationUrl: 'https://ca.test/why' },
      { ...draw, random: 0.9 },
    );
    expect(again.window?.chosenAt).toBe(first.window?.chosenAt);
    expect(again.window?.explanationUrl).toBe('https://ca.test/why');
    const moved = takeAdvice(first, { ...window, end: window.end + 1 }, { ...draw, random: 0.9 });
    expect(moved.window?.chosenAt).not.toBe(first.window?.chosenAt);
  });

  it('gives way to the ceiling where the window reaches into it, and else outranks it', () => {
    const wide = { start: t0 + 10 * day, end: t0 + 70 * day };
    expect(takeAdvice({}, wide, { ...draw, random: 0 }).window?.chosenAt).toBe(t0 + 60 * day);
    const early = { start: t0 + 10 * day, end: t0 + 12 * day };
    expect(takeAdvice({}, early, { ...draw, random: 0 }).window?.chosenAt).toBe(t0 + 10 * day);
  });

  it('on when to renew is none when its window opens at expiry or later; why it says so is kept', () => {
    const explanationUrl = 'https://ca.test/why';
    const late = { start: certificate.notAfter, end: certificate.notAfter + day, explanationUrl };
    expect(takeAdvice({}, late, draw).window).toEqual({ ...late, chosenAt: draw.ownAt });
  });

  it('is asked for again when the CA says, between a minute and half a day', () => {
    const pause = (retryAfterMs: number | undefined) =>
      (takeAdvice({}, { ...window, retryAfterMs }, draw).ariCheckAt ?? 0) - t0;
    expect(pause(5 * hour)).toBe(5 * hour);
    expect(pause(0)).toBe(minute);
    expect(pause(30 * day)).toBe(12 * hour);
    expect(pause(undefined)).toBe(6 * hour);
  });

  it('stands when the CA cannot be asked, and is forgotten when the CA stops giving any', () => {
    const held = takeAdvice({}, window, draw);
    expect(takeAdvice(held, {}, draw)).toEqual({ ...held, ariCheckAt: t0 + 6 * hour });
    expect(takeAdvice(held, 'none', draw).window).toBeUndefined();
  });

  it('is due again at once when a clock that was ahead had put it far away', () => {
    expect(adviceDueAt(aState({ ariCheckAt: t0 + 3 * day }), t0)).toBe(t0);
    expect(adviceDueAt(aState({ ariCheckAt: t0 + 11 * hour }), t0)).toBe(t0 + 11 * hour);
    expect(adviceDueAt(aState({}), t0)).toBeUndefined();
  });

  it('always leads to an instant before expiry, within the ceiling where the window allows that', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: hour, max: 398 * day }),
        instants,
        fc.integer({ min: 1, max: 60 * day }),
        random,
        (lifetime, from, width, value) => {
          const held = { notBefore: t0, notAfter: t0 + lifetime };
          const start = t0 + from;
          const ownAt = renewalPoint(held, { lineage: 'x', ceilingMs: draw.ceilingMs });
          const advised = takeAdvice(
            {},
            { start, end: start + width },
            { ...draw, certificate: held, ownAt, random: value },
          );
          const at = renewalPoint(held, { lineage: 'x', ceilingMs: draw.ceilingMs, window: advised.window });
          expect(at).toBeLessThan(held.notAfter);
          if (start >= held.notAfter) {
            expect(at).toBe(ownAt);
            return;
          }
          expect(at).toBeGreaterThanOrEqual(start);
          expect(at).toBeLessThan(start + width);
          const opens = held.notAfter - draw.ceilingMs;
          if (Math.min(start + width, held.notAfter) > opens) expect(at).toBeGreaterThanOrEqual(opens);
        },
      ),
      { numRuns: 2000 },
    );
  });
});
