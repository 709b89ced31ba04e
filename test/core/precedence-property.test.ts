import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  bindingPatterns,
  type Candidate,
  choiceEndsAt,
  choose,
  coversAll,
  ownDomain,
} from '../../src/core/precedence.ts';
import type { LineageSource } from '../../src/core/types.ts';
import { day, t0 } from './given.ts';

const labels = ['a', 'b', 'c'];
const domains = ['x.test', 'y.test', 'b.x.test', 'c.b.x.test'];
const label = fc.constantFrom(...labels);
const host = fc
  .tuple(fc.array(label, { maxLength: 2 }), fc.constantFrom(...domains))
  .map(([front, domain]) => [...front, domain].join('.'));
const pattern = fc.oneof(
  host,
  host.map((name) => `*.${name}`),
  host.map((name) => name.replace(/[^.]+$/, '*')),
  fc.constant('*'),
);

const candidate: fc.Arbitrary<Candidate> = fc
  .record({
    lineage: fc.constantFrom(...['l1', 'l2', 'l3', 'l4', 'l5', 'l6', 'l7', 'l8']),
    source: fc.constantFrom<LineageSource>('acme', 'upload', 'self-signed'),
    names: fc.array(
      fc.oneof(
        host,
        host.map((name) => `*.${name}`),
      ),
      { minLength: 1, maxLength: 3 },
    ),
    from: fc.integer({ min: -20, max: 3 }),
    days: fc.integer({ min: 1, max: 30 }),
    domain: fc.constantFrom(...domains),
    revoked: fc.option(fc.integer({ min: -5, max: 0 })),
  })
  .map(({ lineage, source, names, from, days, domain, revoked }) => ({
    domain,
    certificate: { lineage, source, names, notBefore: t0 + from * day, notAfter: t0 + (from + days) * day },
    revokedAt: revoked === null ? undefined : t0 + revoked * day,
  }));

const world = fc.record({
  name: host,
  candidates: fc.uniqueArray(candidate, { maxLength: 8, selector: (one) => one.certificate.lineage }),
  bound: fc.dictionary(
    pattern,
    fc.array(fc.constantFrom('l1', 'l2', 'l3', 'l9'), { minLength: 1, maxLength: 2 }),
    {
      maxKeys: 3,
    },
  ),
  known: fc.subarray(domains),
});

type World = typeof world extends fc.Arbitrary<infer T> ? T : never;

function ask({ name, candidates, bound, known }: World) {
  const domain = ownDomain(name, new Set(known));
  const bindings = new Map(Object.entries(bound));
  const question = { names: [name], domain, bindings, candidates, now: t0 };
  const isBound = ({ certificate }: Candidate) =>
    bindingPatterns(name).some((one) => bindings.get(one)?.some((id) => id === certificate.lineage) === true);
  const isOwn = (one: Candidate) => one.domain === domain && coversAll(one.certificate.names, [name]);
  return { question, choice: choose(question), domain, isBound, isOwn };
}

function isTrusted({ certificate: { source, notBefore, notAfter }, revokedAt }: Candidate): boolean {
  return source !== 'self-signed' && revokedAt === undefined && notBefore <= t0 && notAfter > t0;
}

const runs = { numRuns: 5000 };

describe('whatever is held and bound', () => {
  it("no name gets another domain's certificate unless that is bound", () => {
    fc.assert(
      fc.property(world, (given) => {
        const { choice, isBound, isOwn } = ask(given);
        if (choice !== undefined) expect(isBound(choice.candidate) || isOwn(choice.candidate)).toBe(true);
      }),
      runs,
    );
  });

  it("no untrusted certificate is shown where a valid trusted one of the name's own is held", () => {
    fc.assert(
      fc.property(world, (given) => {
        const { choice, isOwn } = ask(given);
        const isWell = given.candidates.some((one) => isOwn(one) && isTrusted(one));
        if (isWell) expect(choice && isTrusted(choice.candidate)).toBe(true);
      }),
      runs,
    );
  });

  it('a name for which something is held is shown something', () => {
    fc.assert(
      fc.property(world, (given) => {
        const { choice, isOwn } = ask(given);
        expect(choice !== undefined).toBe(choice?.rank === 'binding' || given.candidates.some(isOwn));
      }),
      runs,
    );
  });

  it('the choice does not depend on the order in which the store gives them', () => {
    fc.assert(
      fc.property(world, (given) => {
        const { question, choice } = ask(given);
        expect(choose({ ...question, candidates: question.candidates.toReversed() })).toEqual(choice);
      }),
      runs,
    );
  });

  it('what is chosen stays chosen until the instant that is told', () => {
    fc.assert(
      fc.property(world, fc.nat({ max: 40 }), (given, days) => {
        const { question, choice } = ask(given);
        if (choice === undefined) return;
        const now = t0 + days * day - 1;
        const endsAt = choiceEndsAt(choice, question);
        if (now < t0 || (endsAt !== undefined && now >= endsAt)) return;
        const revokedSince = question.candidates.filter(({ revokedAt }) => revokedAt !== undefined);
        if (revokedSince.length > 0) return;
        expect(choose({ ...question, now })?.candidate).toEqual(choice.candidate);
      }),
      runs,
    );
  });
});
