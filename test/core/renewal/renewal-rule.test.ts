import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { takeAdvice } from '../../../src/core/renewal/advice.ts';
import { decide } from '../../../src/core/renewal/decide.ts';
import { nextIssue } from '../../../src/core/renewal/next-action.ts';
import { renewalPoint } from '../../../src/core/renewal/renewal.ts';
import { moreRuns } from '../../support/more-runs.ts';
import { aCertificate, aLineage, aState, day, hour, t0 } from '../given.ts';

const absurd = fc.integer({ min: -3650 * day, max: 3650 * day });

/** Mostly those that live from an hour to ten days; the rule is another one from ten days on. */
const lifetimes = fc.oneof(
  { arbitrary: fc.integer({ min: hour, max: day }), weight: 3 },
  { arbitrary: fc.integer({ min: day, max: 10 * day }), weight: 3 },
  { arbitrary: fc.integer({ min: 10 * day - 1, max: 10 * day + 1 }), weight: 1 },
  { arbitrary: fc.integer({ min: 10 * day, max: 398 * day }), weight: 2 },
);

/** Mostly within the life of the certificate, or across one of its ends. */
const instantsOf = (lifetime: number) =>
  fc.oneof(
    { arbitrary: fc.integer({ min: -lifetime, max: 2 * lifetime }), weight: 4 },
    { arbitrary: fc.integer({ min: lifetime - 1, max: lifetime + 1 }), weight: 1 },
    { arbitrary: absurd, weight: 1 },
  );

/** A certificate of any lifetime, any advice on it, and what any clock says. */
const worlds = lifetimes.chain((lifetime) =>
  fc.record({
    lifetime: fc.constant(lifetime),
    ceilingMs: fc.oneof(
      fc.integer({ min: hour, max: 90 * day }),
      fc.integer({ min: hour, max: 2 * lifetime }),
    ),
    window: fc.option(
      fc.record({
        from: instantsOf(lifetime),
        width: fc.oneof(fc.integer({ min: 1, max: lifetime }), fc.integer({ min: 1, max: 500 * day })),
      }),
    ),
    now: instantsOf(lifetime),
    hurried: fc.option(instantsOf(lifetime)),
    random: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    lineage: fc.string(),
  }),
);

type World = typeof worlds extends fc.Arbitrary<infer T> ? T : never;

function renewal({ lifetime, ceilingMs, window, now, hurried, random, lineage }: World) {
  const certificate = aCertificate({ notBefore: t0, issuedAt: t0, notAfter: t0 + lifetime });
  const start = t0 + (window?.from ?? 0);
  const advice = window === null ? 'none' : { start, end: start + window.width };
  const hurriedAt = hurried === null ? undefined : t0 + hurried;
  const ownAt = renewalPoint(certificate, { lineage, ceilingMs });
  const draw = { certificate, ceilingMs, ownAt, random, now: t0 + now };
  const taken = takeAdvice({ hurriedAt }, advice, draw);
  const renewAt = renewalPoint(certificate, { lineage, ceilingMs, window: taken.window });
  return { certificate, taken, renewAt, now: t0 + now, opens: certificate.notAfter - ceilingMs };
}

describe('the renewal of a certificate that lives from an hour to 398 days', () => {
  it('lies before its expiry, whatever the window, the clock and the last hurry', () => {
    fc.assert(
      fc.property(worlds, (world) => {
        const { certificate, renewAt } = renewal(world);
        expect(renewAt).toBeLessThan(certificate.notAfter);
      }),
      { numRuns: moreRuns(3000) },
    );
  });

  it('lies in the window of the CA where that opens before expiry and nothing was hurried before', () => {
    let overlapping = 0;
    fc.assert(
      fc.property(worlds, (world) => {
        const { certificate, taken, renewAt } = renewal({ ...world, hurried: null });
        const { window } = taken;
        if (window === undefined || window.start >= certificate.notAfter) return;
        if (window.end > certificate.notBefore) overlapping++;
        expect(renewAt).toBeGreaterThanOrEqual(window.start);
        expect(renewAt).toBeLessThanOrEqual(window.end);
      }),
      { numRuns: moreRuns(3000) },
    );
    expect(overlapping).toBeGreaterThan(1000);
  });

  it('comes no earlier than the ceiling but where the CA wants it earlier', () => {
    fc.assert(
      fc.property(worlds, (world) => {
        const { taken, renewAt, opens, certificate } = renewal(world);
        const end = Math.min(taken.window?.end ?? certificate.notAfter, certificate.notAfter);
        if (end > opens) expect(renewAt).toBeGreaterThanOrEqual(opens);
      }),
      { numRuns: moreRuns(3000) },
    );
  });

  it('is ordered now or at an instant to come before expiry, as the clock has it', () => {
    fc.assert(
      fc.property(worlds, (world) => {
        const { certificate, taken, renewAt, now } = renewal(world);
        const given = { lineage: aLineage(), certificate, state: aState({ ...taken, renewAt }), now };
        const at = nextIssue(given);
        expect(at).toBeDefined();
        expect(at ?? 0).toBeLessThanOrEqual(Math.max(now, renewAt));
        if (now >= renewAt) expect(decide(given)).toBe('due');
        else expect(at ?? 0).toBeLessThan(certificate.notAfter);
      }),
      { numRuns: moreRuns(3000) },
    );
  });

  it('is not hurried a second time within half a day or a tenth of its life', () => {
    fc.assert(
      fc.property(worlds, fc.integer({ min: 0, max: hour / 2 }), (world, ago) => {
        const hurriedAt = t0 - ago;
        const { certificate, renewAt } = renewal({ ...world, hurried: -ago, now: 0 });
        const pause = Math.min(12 * hour, (certificate.notAfter - t0) / 10);
        expect(renewAt).toBeGreaterThanOrEqual(hurriedAt + pause);
      }),
      { numRuns: moreRuns(3000) },
    );
  });
});
