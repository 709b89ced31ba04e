import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { believable, nextAttempt } from '../../src/core/backoff.ts';
import { nextReminder, silenceUntil } from '../../src/core/notice/reminders.ts';
import { renewalPoint } from '../../src/core/renewal/renewal.ts';
import { aCertificate, aLineage, aState, day, hour, minute, t0 } from './given.ts';

const ceilingMs = 30 * day;

describe('the renewal point', () => {
  it('lies in the first tenth of the lead before expiry, for any lifetime from an hour to 398 days', () => {
    fc.assert(
      fc.property(fc.integer({ min: hour, max: 398 * day }), fc.string(), (lifetime, lineage) => {
        const certificate = aCertificate({ notAfter: t0 + lifetime });
        const lead = Math.min(ceilingMs, lifetime < 10 * day ? lifetime / 2 : lifetime / 3);
        const at = renewalPoint(certificate, { lineage, ceilingMs });
        expect(at).toBeGreaterThanOrEqual(certificate.notAfter - lead);
        expect(at).toBeLessThanOrEqual(certificate.notAfter - 0.9 * lead);
      }),
    );
  });

  it.each([
    [90, 30],
    [64, 64 / 3],
    [45, 15],
    [6, 3],
    [398, 30],
  ])('of a certificate of %i days is %f days before expiry, or a little later', (lifetime, lead) => {
    const at = renewalPoint(aCertificate({ notAfter: t0 + lifetime * day }), { lineage: 'x', ceilingMs });
    const before = (t0 + lifetime * day - at) / day;
    expect(before).toBeLessThanOrEqual(lead);
    expect(before).toBeGreaterThan(0.9 * lead);
  });

  it('is the same each time for a lineage and differs between lineages', () => {
    const points = ['a', 'b', 'c', 'd'].map((lineage) =>
      renewalPoint(aCertificate(), { lineage, ceilingMs }),
    );
    expect(new Set(points).size).toBe(4);
    expect(renewalPoint(aCertificate(), { lineage: 'a', ceilingMs })).toBe(points[0]);
  });
});

describe('the ladder', () => {
  const setback = { retry: 'later', random: 0.5 } as const;

  it.each([
    [1, minute],
    [2, 10 * minute],
    [3, 100 * minute],
  ])('waits for failure %i', (failures, ms) => {
    expect(nextAttempt({ ...setback, failures }, t0) - t0).toBe(ms);
  });

  it('has no step that outlives a certificate of an hour or two', () => {
    const wait = (failures: number) => nextAttempt({ ...setback, failures, validUntil: t0 + hour }, t0) - t0;
    expect([1, 2, 3].map(wait)).toEqual([minute, 10 * minute, 10 * minute]);
  });

  it('then waits an eighth of the remaining validity, between ten minutes and a day', () => {
    const wait = (validMs: number) =>
      nextAttempt({ ...setback, failures: 4, validUntil: t0 + validMs }, t0) - t0;
    expect(wait(30 * day)).toBe(day);
    expect(wait(4 * day)).toBe(12 * hour);
    expect(wait(hour)).toBe(10 * minute);
    expect(wait(-hour)).toBe(day);
  });

  it('tries what only a person can mend once a day', () => {
    const at = nextAttempt({ failures: 1, retry: 'blocked', random: 0 }, t0);
    expect(at - t0).toBe(0.9 * day);
  });

  it('honours a later Retry-After, but believes at most seven days', () => {
    const at = (retryAt: number) => nextAttempt({ ...setback, failures: 1, retryAt }, t0) - t0;
    expect(at(t0 + 5 * hour)).toBe(5 * hour);
    expect(at(t0 + 400 * day)).toBe(7 * day);
    expect(at(t0 - day)).toBe(minute);
  });

  it('counts an instant that no rule could have set as due: clocks jump', () => {
    expect(believable(t0 + 3 * day, t0)).toBe(t0 + 3 * day);
    expect(believable(t0 + 300 * day, t0)).toBe(t0);
  });
});

describe('reminders', () => {
  const lineage = aLineage();
  const failing = { failingSince: t0, failures: 1 };
  const next = (
    state: Parameters<typeof aState>[0],
    certificate: Parameters<typeof aCertificate>[0] = {},
    now = t0,
  ) =>
    nextReminder({
      lineage,
      certificate: aCertificate({ notAfter: t0 + 30 * day, notBefore: t0 - 60 * day, ...certificate }),
      state: aState(state),
      now,
    });

  it('do not come while all is well', () => {
    expect(next({})).toBeUndefined();
  });

  it('begin after a day of failures, or a tenth of a short lifetime', () => {
    expect(next(failing)).toBe(t0 + day);
    expect(next(failing, { notBefore: t0 - 3 * day, notAfter: t0 + 3 * day })).toBe(t0 + 0.6 * day);
  });

  it('begin at once for what only a person can mend', () => {
    const lastFailure = { at: t0, code: 'challenge.caa', message: 'CAA' };
    expect(next({ ...failing, lastFailure })).toBe(t0);
  });

  it('come once a day, thirty of them, then weekly', () => {
    expect(next({ ...failing, reminders: { count: 1, lastAt: t0 } })).toBe(t0 + day);
    expect(next({ ...failing, reminders: { count: 29, lastAt: t0 } })).toBe(t0 + day);
    expect(next({ ...failing, reminders: { count: 30, lastAt: t0 } })).toBe(t0 + 7 * day);
  });

  it('can be silenced for at most seven days and never in the last three of validity', () => {
    expect(silenceUntil(90 * day, t0)).toBe(t0 + 7 * day);
    const silenced = { ...failing, reminders: { count: 1, lastAt: t0, silencedUntil: t0 + 7 * day } };
    expect(next(silenced)).toBe(t0 + 7 * day);
    expect(next(silenced, { notAfter: t0 + 5 * day, notBefore: t0 - 85 * day })).toBe(t0 + 2 * day);
  });

  it('end when nobody wants the names any more', () => {
    const gone = nextReminder({
      lineage: aLineage({ unwantedSince: t0 - 8 * day }),
      certificate: undefined,
      state: aState(failing),
      now: t0,
    });
    expect(gone).toBeUndefined();
  });
});
