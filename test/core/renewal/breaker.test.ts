import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { slotAt } from '../../../src/core/renewal/breaker.ts';
import { day, hour, minute, t0 } from '../given.ts';

const instants = fc.record({
  openedAt: fc.integer({ min: t0, max: t0 + day }),
  away: fc.oneof(fc.integer({ min: 0, max: 3 * hour }), fc.integer({ min: 0, max: 400 * day })),
});

describe('the ladder of an issuer', () => {
  it('cuts time into slots, of which each instant knows its own', () => {
    fc.assert(
      fc.property(instants, fc.double({ min: 0, max: 1, noNaN: true }), ({ openedAt, away }, part) => {
        const now = openedAt + away;
        const slot = slotAt(openedAt, now);
        const from = slot.startsAt ?? openedAt;
        expect(from).toBeLessThanOrEqual(now);
        expect(slot.endsAt).toBeGreaterThan(now);
        const other = Math.min(from + Math.floor(part * (slot.endsAt - from)), slot.endsAt - 1);
        expect(slotAt(openedAt, other)).toEqual(slot);
        expect(slotAt(openedAt, slot.endsAt).startsAt).toBe(slot.endsAt);
      }),
    );
  });

  it('finds one that is back within the time that it was away, and within an hour, but for the first minute', () => {
    fc.assert(
      fc.property(instants, ({ openedAt, away }) => {
        const now = openedAt + away;
        expect(slotAt(openedAt, now).endsAt - now).toBeLessThanOrEqual(
          Math.min(Math.max(away, minute), hour),
        );
      }),
    );
  });

  it('probes after 1, 2, 4 … minutes, then every hour: 29 times on the first day', () => {
    const starts: number[] = [];
    for (let at = t0; at < t0 + day; ) {
      const { startsAt, endsAt } = slotAt(t0, at);
      if (startsAt !== undefined) starts.push((startsAt - t0) / minute);
      at = endsAt;
    }
    expect(starts.slice(0, 9)).toEqual([1, 2, 4, 8, 16, 32, 64, 124, 184]);
    expect(starts).toHaveLength(29);
  });

  it('goes on where a clock that stood ahead opened the breaker', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 400 * day }), (ahead) => {
        const { startsAt, endsAt } = slotAt(t0 + ahead, t0);
        expect(startsAt).toBeLessThanOrEqual(t0);
        expect(endsAt).toBeLessThanOrEqual(t0 + hour);
      }),
    );
  });
});
