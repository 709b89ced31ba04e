import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lookForRoomAt } from '../../../src/core/renewal/room-look.ts';
import { day, hour, minute, t0 } from '../given.ts';

const fraction = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });
const cases = fc.record({
  rooms: fc.array(
    fc.integer({ min: -day, max: 7 * day }).map((ms) => t0 + ms),
    { minLength: 1, maxLength: 3 },
  ),
  /** From an hour's certificate to one of 398 days, anywhere in its life. */
  held: fc
    .record({
      lifetime: fc.oneof(
        fc.integer({ min: hour, max: 7 * day }),
        fc.integer({ min: 7 * day, max: 398 * day }),
      ),
      at: fraction,
      lead: fc.double({ min: 0.01, max: 0.5, noNaN: true }),
    })
    .map(({ lifetime, at, lead }) => {
      const notAfter = t0 + Math.max(1, Math.round(lifetime * (1 - at)));
      return { notAfter, urgentAt: Math.round(notAfter - lifetime * lead) };
    }),
  count: fc.integer({ min: 1, max: 100 }),
  random: fraction,
});

describe('an order without room', () => {
  it('is looked at again before what is held expires, and never in the past', () => {
    fc.assert(
      fc.property(cases, (given) => {
        const at = lookForRoomAt(given, t0);
        expect(at).toBeGreaterThanOrEqual(t0);
        expect(at).toBeLessThanOrEqual(given.held.notAfter);
      }),
    );
  });

  it('is looked at when there is room, or when it need not be, but for a spread of an hour and a tenth of what is left', () => {
    fc.assert(
      fc.property(cases, (given) => {
        const { held, rooms } = given;
        const at = lookForRoomAt(given, t0);
        const room = Math.min(...rooms.filter((one) => one > t0));
        const must = Math.min(room, held.urgentAt > t0 ? held.urgentAt : Number.POSITIVE_INFINITY);
        const spread = Math.min(hour, (held.notAfter - Math.min(must, t0)) / 10);
        if (must <= held.notAfter) expect(at).toBeLessThanOrEqual(must + spread);
      }),
    );
  });

  it('past the half of its renewal period is looked at daily, and ever more often towards the end, whatever the CA said', () => {
    fc.assert(
      fc.property(cases, (given) => {
        const { notAfter, urgentAt } = given.held;
        if (urgentAt > t0) return;
        const left = notAfter - t0;
        const most = Math.min(Math.max(left / 8, 10 * minute), day);
        expect(lookForRoomAt(given, t0) - t0).toBeLessThanOrEqual(most + Math.min(hour, left / 10));
      }),
    );
  });

  it('with nothing held waits for room alone', () => {
    const rooms = [t0 + 3 * day, t0 + 5 * day, t0 - 1];
    expect(lookForRoomAt({ rooms, count: 1, random: 0 }, t0)).toBe(t0 + 3 * day);
  });
});
