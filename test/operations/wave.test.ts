import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { HeldLineage } from '../../src/core/held-lineages.ts';
import { freshRenewal } from '../../src/core/records.ts';
import type { RenewalState } from '../../src/core/types.ts';
import { planWave } from '../../src/operations/wave.ts';
import { bundle, lineage as sampleLineage } from '../store/samples.ts';

const day = 86_400_000;
const now = 1000 * day;

function held(
  domain: string,
  host: string,
  more: { expires?: number; state?: Partial<RenewalState> },
): HeldLineage {
  const id = `${domain}/${host}/ec`;
  const lineage = { ...sampleLineage(id, domain), label: host };
  const { certificate } = bundle(id, 1);
  return {
    lineage,
    state: { ...freshRenewal(id), renewAt: now + day, ...more.state },
    certificate:
      more.expires === undefined
        ? undefined
        : { ...certificate, wanted: lineage.wanted, notAfter: more.expires },
  };
}

const order = (list: readonly HeldLineage[], force = true) =>
  planWave(list, { force, now }).map(({ step }) => step.lineage.split('/')[1]);

describe('a wave', () => {
  test('begins with what has no valid certificate, then what is due, then the rest', () => {
    const list = [
      held('a.test', 'rest', { expires: now + 5 * day }),
      held('a.test', 'due', { expires: now + 9 * day, state: { renewAt: now } }),
      held('a.test', 'revoked', { expires: now + 50 * day, state: { revokedAt: now } }),
      held('a.test', 'expired', { expires: now - day }),
      held('a.test', 'missing', {}),
    ];
    expect(order(list)).toEqual(['missing', 'expired', 'revoked', 'due', 'rest']);
  });

  test('lets domains take turns', () => {
    const list = [1, 2, 3].flatMap((number) => [
      held('a.test', `a${number}`, { expires: now + number * day }),
      held('b.test', `b${number}`, { expires: now + (number + 10) * day }),
    ]);
    expect(order(list)).toEqual(['a1', 'b1', 'a2', 'b2', 'a3', 'b3']);
  });

  test('names the reason of each step', () => {
    const list = [
      held('a.test', 'missing', {}),
      held('a.test', 'failed', { expires: now + day, state: { failures: 1 } }),
      held('a.test', 'fine', { expires: now + day }),
    ];
    expect(planWave(list, { force: true, now }).map(({ step }) => step.reason)).toEqual([
      'missing',
      'failed',
      'forced',
    ]);
    expect(order(list, false)).toEqual(['missing', 'failed']);
  });

  test('has each lineage at most once, and with force each that is wanted', () => {
    const any = fc.record({
      domain: fc.constantFrom('a.test', 'b.test', 'c.test'),
      expires: fc.option(fc.integer({ min: now - day, max: now + 90 * day }), { nil: undefined }),
      failures: fc.nat({ max: 2 }),
      renewAt: fc.integer({ min: now - day, max: now + day }),
    });
    fc.assert(
      fc.property(fc.array(any, { maxLength: 40 }), fc.boolean(), (facts, force) => {
        const list = facts.map(({ domain, expires, ...state }, index) =>
          held(domain, `h${index}`, { state, ...(expires !== undefined && { expires }) }),
        );
        const plan = order(list, force);
        expect(new Set(plan).size).toBe(plan.length);
        if (force) expect(plan.length).toBe(list.length);
      }),
    );
  });
});
