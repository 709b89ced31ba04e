import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Showing, showable } from '../../../src/core/deploy/showing.ts';
import { AgentError } from '../../../src/core/errors.ts';
import { freshDeployment } from '../../../src/core/records.ts';
import { decide } from '../../../src/core/renewal/decide.ts';
import { hasFreshIssuer, issuersInTurn, weightOf } from '../../../src/core/renewal/failover.ts';
import { nextDeploy, nextIssue } from '../../../src/core/renewal/next-action.ts';
import type { Certificate, WantedSpec } from '../../../src/core/types.ts';
import { aCertificate, aLineage, aState, day, hour, t0, wanted } from '../given.ts';

const renewAt = t0 + 60 * day;
const quiet = { lineage: aLineage(), certificate: aCertificate(), state: aState({ renewAt }), now: t0 };

describe('an order is made', () => {
  const cases: Record<string, Parameters<typeof decide>[0]> = {
    missing: { ...quiet, certificate: undefined },
    revoked: { ...quiet, state: aState({ renewAt, revokedAt: t0 }) },
    'names-changed': {
      ...quiet,
      lineage: aLineage({ wanted: { ...wanted, names: ['www.example.com', 'new.example.com'] } }),
    },
    'issuer-gone': { ...quiet, lineage: aLineage({ wanted: { ...wanted, issuers: ['second'] } }) },
    'key-type-changed': { ...quiet, lineage: aLineage({ wanted: { ...wanted, keyType: 'p384' } }) },
    'profile-changed': {
      ...quiet,
      lineage: aLineage({ wanted: { ...wanted, profile: { name: 'tlsserver', required: false } } }),
    },
    due: { ...quiet, now: renewAt },
    requested: { ...quiet, state: aState({ renewAt, requested: { at: t0, force: true } }) },
  };

  it.each(Object.entries(cases))('because %s', (reason, given) => {
    expect(decide(given)).toBe(reason);
  });

  it('because a name that was left out was given up and is wished for again, so that nobody remembers it', () => {
    const both = { ...wanted, names: ['www.example.com', 'refused.example.com'] };
    const certificate = aCertificate({ wanted: both, names: ['www.example.com'] });
    const lineage = aLineage({ wanted: both });
    const state = aState({ renewAt, leftOut: { 'refused.example.com': leftOut(t0) } });
    expect(decide({ ...quiet, lineage, certificate, state })).toBeUndefined();
    expect(decide({ ...quiet, lineage, certificate })).toBe('names-changed');
  });

  it('because the name of its issuer stands for another CA now', () => {
    const lineage = aLineage({ wanted: { ...wanted, directories: ['https://production', 'https://other'] } });
    const certificate = aCertificate({
      wanted: { ...wanted, directories: ['https://staging', 'https://other'] },
    });
    expect(decide({ ...quiet, lineage, certificate })).toBe('issuer-gone');
  });
});

const specs: fc.Arbitrary<WantedSpec> = fc
  .record({
    names: fc.uniqueArray(fc.domain(), { minLength: 1, maxLength: 4 }),
    keyType: fc.constantFrom('p256', 'p384', 'rsa2048'),
    issuers: fc.uniqueArray(fc.constantFrom('first', 'second', 'third'), { minLength: 1 }),
    challenge: fc.constantFrom('http-01', 'dns-01'),
    profile: fc.option(fc.record({ name: fc.string(), required: fc.boolean() }), { nil: undefined }),
    urls: fc.option(fc.array(fc.webUrl(), { minLength: 3, maxLength: 3 }), { nil: undefined }),
  })
  .map(({ urls, ...spec }) => ({ ...spec, directories: urls?.slice(0, spec.issuers.length) }));

/** The profile was not to be had, an import had another key and more names: only the wish counts. */
const turnedOut = fc.record({
  more: fc.uniqueArray(fc.domain(), { maxLength: 4 }),
  keyType: fc.constantFrom('p256', 'p384', 'rsa2048'),
});

/** What is remembered of a name that was left out of an order, and is tried again an hour from now. */
function leftOut(now: number) {
  const failure = { at: t0, code: 'challenge.caa', message: 'no', issuer: 'first' } as const;
  return { failures: 1, since: t0, retryAt: now + hour, failure };
}

describe('no order is made', () => {
  it('in any quiet world: whatever was wished for and came of it, whoever of its issuers answered, before it is due', () => {
    fc.assert(
      fc.property(
        specs,
        fc.nat(),
        turnedOut,
        fc.integer({ min: 0, max: 60 * day - 1 }),
        (spec, which, { more, keyType }, later) => {
          const issuer = spec.issuers[which % spec.issuers.length];
          const names = spec.names.slice(which % spec.names.length);
          const missing = spec.names.filter((name) => !names.includes(name));
          const state = aState({
            renewAt,
            leftOut: Object.fromEntries(missing.map((name) => [name, leftOut(t0 + later)])),
          });
          const certificate = aCertificate({ issuer, wanted: spec, names: [...names, ...more], keyType });
          const lineage = aLineage({ wanted: spec });
          expect(decide({ lineage, certificate, state, now: t0 + later })).toBeUndefined();
        },
      ),
    );
  });

  it('for another directory of an issuer that did not issue it, nor for one order or knowledge of issuers more', () => {
    const moved = { ...wanted, directories: ['https://a', 'https://moved'] };
    const turned = { ...wanted, issuers: ['second', 'first'], directories: ['https://b', 'https://a'] };
    const certificate = aCertificate({ wanted: { ...wanted, directories: ['https://a', 'https://b'] } });
    for (const wish of [moved, turned, wanted])
      expect(decide({ ...quiet, lineage: aLineage({ wanted: wish }), certificate })).toBeUndefined();
    expect(decide({ ...quiet, lineage: aLineage({ wanted: moved }) })).toBeUndefined();
  });

  it('in a quiet world', () => {
    expect(decide(quiet)).toBeUndefined();
  });

  it('after a failover: the second issuer is as good while it is wanted', () => {
    expect(decide({ ...quiet, certificate: aCertificate({ issuer: 'second' }) })).toBeUndefined();
  });

  it('for a preferred profile that the CA did not have: the wish was the same', () => {
    const wish = { ...wanted, profile: { name: 'tlsserver', required: false } };
    expect(
      decide({ ...quiet, lineage: aLineage({ wanted: wish }), certificate: aCertificate({ wanted: wish }) }),
    ).toBeUndefined();
  });

  it('for a name too many: it goes at the next renewal', () => {
    const held = aCertificate({
      names: ['www.example.com', 'old.example.com'],
      wanted: { ...wanted, names: ['www.example.com', 'old.example.com'] },
    });
    expect(decide({ ...quiet, certificate: held })).toBeUndefined();
  });

  it('by a request that does not force while nothing is due', () => {
    expect(
      decide({ ...quiet, state: aState({ renewAt, requested: { at: t0, force: false } }) }),
    ).toBeUndefined();
  });

  it('for names that nobody has wanted for seven days', () => {
    const lineage = aLineage({ unwantedSince: t0 - 7 * day });
    expect(decide({ ...quiet, lineage, certificate: undefined })).toBeUndefined();
    expect(nextIssue({ ...quiet, lineage })).toBeUndefined();
  });
});

describe('the next look at a lineage', () => {
  it('is its renewal point', () => {
    expect(nextIssue(quiet)).toBe(renewAt);
  });

  it('is now when nothing is held', () => {
    expect(nextIssue({ ...quiet, certificate: undefined })).toBe(t0);
  });

  it('is the next step of the ladder while it fails', () => {
    expect(
      nextIssue({ ...quiet, certificate: undefined, state: aState({ failures: 2, retryAt: t0 + hour }) }),
    ).toBe(t0 + hour);
  });

  it('is the instant of a request, which skips the ladder', () => {
    const state = aState({ failures: 2, retryAt: t0 + hour, requested: { at: t0, force: false } });
    expect(nextIssue({ ...quiet, certificate: undefined, state })).toBe(t0);
  });
});

describe('the next look at a deployment', () => {
  const deployment = freshDeployment('web', 'example.com/www.example.com/ec');
  const seen = (fingerprint: string) => ({
    ...deployment,
    observed: { fingerprint, source: 'acme' as const, at: t0 },
  });
  const domain = 'example.com';
  const shows = (own: Certificate | undefined, standIn: Certificate | undefined): Showing => ({
    lineage: aLineage(),
    own: showable(own, { domain }),
    fallback: showable(standIn, { domain }),
    rivals: [],
    bindings: new Map(),
  });
  const fallback = aCertificate({ source: 'self-signed', fingerprint: 'own' });
  const showing = shows(aCertificate(), fallback);

  it('is now while the target shows nothing, or something else', () => {
    expect(nextDeploy({ deployment, showing: shows(undefined, undefined), now: t0 })).toBe(t0);
    expect(nextDeploy({ deployment: seen('other'), showing, now: t0 })).toBe(t0);
  });

  it('is the expiry of what it shows: then the fallback takes over', () => {
    expect(nextDeploy({ deployment: seen('f1'), showing, now: t0 })).toBe(t0 + 90 * day);
  });

  it('is now where what it shows is over and there is no fallback yet', () => {
    const bare = shows(aCertificate(), undefined);
    expect(nextDeploy({ deployment: seen('f1'), showing: bare, now: t0 + 91 * day })).toBe(t0 + 91 * day);
  });

  it('is the renewal of the fallback while that is shown', () => {
    const standIn = shows(undefined, fallback);
    expect(nextDeploy({ deployment: seen('own'), showing: standIn, now: t0 })).toBe(t0 + 60 * day);
  });

  it('is on its own ladder after a failure', () => {
    const failed = { ...seen('f1'), failures: 1, retryAt: t0 + hour };
    expect(nextDeploy({ deployment: failed, showing, now: t0 })).toBe(t0 + hour);
  });
});

describe('the issuer', () => {
  const issuers = ['first', 'second'];

  it('is the first until it failed three times or asking it is pointless', () => {
    expect(issuersInTurn(issuers, {})).toEqual(issuers);
    expect(issuersInTurn(issuers, { first: 2 })).toEqual(issuers);
    expect(issuersInTurn(issuers, { first: 3 })).toEqual(['second']);
  });

  it('is the one with the fewest faults when none is left', () => {
    expect(issuersInTurn(issuers, { first: 4, second: 3 })).toEqual(['second', 'first']);
  });

  it('is not changed for a verdict about the name', () => {
    expect(weightOf(new AgentError('challenge.unauthorized', 'x'), t0, undefined)).toBe(0);
    expect(weightOf(new AgentError('acme.network', 'x'), t0, undefined)).toBe(1);
    expect(weightOf(new AgentError('challenge.caa', 'x'), t0, undefined)).toBe(3);
  });

  it('is changed at once for a limit that outlasts half of the validity', () => {
    const limited = (ms: number) => new AgentError('acme.rateLimited', 'x', { retryAt: t0 + ms });
    expect(weightOf(limited(2 * day), t0, t0 + 10 * day)).toBe(1);
    expect(weightOf(limited(6 * day), t0, t0 + 10 * day)).toBe(3);
  });

  it('stands ready only if it was not asked yet', () => {
    expect(hasFreshIssuer(issuers, { first: 3 }, 'first')).toBe(true);
    expect(hasFreshIssuer(issuers, { first: 3, second: 1 }, 'first')).toBe(false);
    expect(hasFreshIssuer(issuers, { first: 1 }, 'first')).toBe(false);
  });
});
