import { describe, expect, it } from 'vitest';
import {
  bindingPatterns,
  type Candidate,
  choiceEndsAt,
  choose,
  ownDomain,
} from '../../src/core/precedence.ts';
import type { LineageId, LineageSource } from '../../src/core/types.ts';
import { day, hour, minute, t0 } from './given.ts';

type Certificate = Candidate['certificate'];

function held(
  lineage: LineageId,
  source: LineageSource,
  names: string,
  more: Partial<Certificate & { revokedAt: number; domain: string }> = {},
): Candidate {
  const { revokedAt, domain = 'example.com', ...change } = more;
  const certificate = {
    lineage,
    source,
    names: names.split(' '),
    notBefore: t0 - day,
    notAfter: t0 + 90 * day,
    ...change,
  };
  return { domain, certificate, revokedAt };
}

const uploaded = held('uploaded', 'upload', 'www.example.com');
const issued = held('issued', 'acme', 'www.example.com');
const uploadedStar = held('uploaded star', 'upload', 'example.com *.example.com');
const issuedStar = held('issued star', 'acme', 'example.com *.example.com');
const fallback = held('fallback', 'self-signed', 'www.example.com');
const foreign = held('foreign', 'acme', 'www.example.org', { domain: 'example.org' });
const byDefault = held('default', 'self-signed', 'localhost', { domain: '' });
const all = [issuedStar, fallback, foreign, uploadedStar, issued, uploaded];

interface Asked {
  readonly names?: readonly string[];
  readonly domain?: string | undefined;
  readonly candidates?: readonly Candidate[];
  readonly bindings?: Readonly<Record<string, string>>;
  readonly now?: number;
}

function question({
  names = ['www.example.com'],
  candidates = all,
  bindings = {},
  now = t0,
  ...rest
}: Asked) {
  const domain = 'domain' in rest ? rest.domain : 'example.com';
  const bound = new Map(Object.entries(bindings).map(([name, ids]) => [name, ids.split(' ')]));
  return { names, domain, candidates, bindings: bound, byDefault, now };
}

function chosen(asked: Asked = {}): string | undefined {
  return choose(question(asked))?.candidate.certificate.lineage;
}

const without = (...gone: readonly Candidate[]) => all.filter((one) => !gone.includes(one));
const past = { notAfter: t0 - day, notBefore: t0 - 90 * day };

describe('what is shown for a name', () => {
  const order: readonly (readonly [string, string | undefined, Asked])[] = [
    [
      'a binding comes before all that the name has of its own',
      'foreign',
      { bindings: { 'www.example.com': 'foreign' } },
    ],
    ['an uploaded certificate of the very name', 'uploaded', {}],
    ['an issued one of the very name', 'issued', { candidates: without(uploaded) }],
    ['an uploaded wildcard', 'uploaded star', { candidates: without(uploaded, issued) }],
    ['an issued wildcard', 'issued star', { candidates: without(uploaded, issued, uploadedStar) }],
    ["the domain's self-signed one", 'fallback', { candidates: [fallback, foreign] }],
    ["the agent's own", 'default', { candidates: [foreign] }],
    [
      "the agent's own, for a name of no domain",
      'default',
      { names: ['www.example.net'], domain: undefined },
    ],
    ["K3 the agent's own, without a valid name", 'default', { names: [] }],
    [
      'a wildcard does not cover the apex',
      'default',
      { names: ['example.com'], candidates: [held('star', 'acme', '*.example.com')] },
    ],
    [
      'a wildcard covers one label, not two',
      'default',
      { names: ['a.b.example.com'], candidates: [issuedStar] },
    ],
    [
      'the domain is the longest one',
      'default',
      { names: ['www.example.com'], domain: 'www.example.com', candidates: [issuedStar] },
    ],
    [
      'the youngest of a rank',
      'new',
      { candidates: [issued, held('new', 'acme', 'www.example.com', { notBefore: t0 })] },
    ],
    ['the smallest id of the same age', 'a', { candidates: [issued, held('a', 'acme', 'www.example.com')] }],
    [
      'the valid one of a rank before a younger one that expired',
      'issued',
      { candidates: [held('x', 'acme', 'www.example.com', { notBefore: t0, notAfter: t0 }), issued] },
    ],
    [
      'an expired one gives way to a valid trusted one below it',
      'issued star',
      { candidates: [held('x', 'upload', 'www.example.com', past), issuedStar, fallback] },
    ],
    [
      'an expired one gives way to the self-signed one',
      'fallback',
      { candidates: [held('x', 'acme', 'www.example.com', past), fallback] },
    ],
    [
      'an expired one stays where there is nothing else',
      'x',
      { candidates: [held('x', 'acme', 'www.example.com', past)] },
    ],
    [
      'a revoked one gives way at once to a trusted one',
      'issued star',
      { candidates: [held('x', 'acme', 'www.example.com', { revokedAt: t0 }), issuedStar] },
    ],
    [
      'a revoked one stays ten minutes where the alternative is self-signed',
      'x',
      { candidates: [held('x', 'acme', 'www.example.com', { revokedAt: t0 - 9 * minute }), fallback] },
    ],
    [
      'and then gives way to it',
      'fallback',
      { candidates: [held('x', 'acme', 'www.example.com', { revokedAt: t0 - 11 * minute }), fallback] },
    ],
    [
      'one that is valid by clocks an hour ahead',
      'x',
      { candidates: [held('x', 'acme', 'www.example.com', { notBefore: t0 + hour }), fallback] },
    ],
    [
      'not one that is not valid yet',
      'fallback',
      { candidates: [held('x', 'acme', 'www.example.com', { notBefore: t0 + 2 * hour }), fallback] },
    ],
    [
      'for several names one that covers them all',
      'issued star',
      { names: ['example.com', 'www.example.com'], candidates: without(uploadedStar) },
    ],
    [
      'for a wildcard only one that holds it',
      'issued star',
      { names: ['example.com', '*.example.com'], candidates: without(uploadedStar) },
    ],
    ['nothing where not even a default is', undefined, { candidates: [] }],
  ];

  it.each(order)('%s', (_, wanted, asked) => {
    const { byDefault: own, ...rest } = question(asked);
    const isBare = wanted === undefined;
    expect(choose({ ...rest, byDefault: isBare ? undefined : own })?.candidate.certificate.lineage).toBe(
      wanted,
    );
  });

  it('tells by what right it was chosen', () => {
    const rank = (asked: Asked) => choose(question(asked))?.rank;
    expect(rank({})).toBe('uploaded exact');
    expect(rank({ bindings: { '*': 'foreign' } })).toBe('binding');
    expect(rank({ candidates: [fallback] })).toBe('fallback');
    expect(rank({ names: [] })).toBe('default');
  });
});

describe('bindings', () => {
  const others = ['exact', 'leftmost', 'rightmost', 'any'].map((id) =>
    held(id, 'acme', 'x.example.org', { domain: 'example.org' }),
  );
  const bindings = {
    'www.example.com': 'exact',
    '*.example.com': 'leftmost',
    'www.example.*': 'rightmost',
    '*': 'any',
  };

  it('K3 count in the order exact, leftmost wildcard, rightmost wildcard, any', () => {
    const left: Record<string, string> = { ...bindings };
    const candidates = [...all, ...others];
    for (const name of Object.keys(bindings)) {
      expect(chosen({ candidates, bindings: left })).toBe(left[name]);
      delete left[name];
    }
    expect(chosen({ candidates, bindings: left })).toBe('uploaded');
  });

  it.each([
    ['www.a.test', ['www.a.test', '*.a.test', 'www.a.*', '*']],
    ['x.www.a.test', ['x.www.a.test', '*.www.a.test', 'x.www.a.*', '*']],
    ['a.test', ['a.test', 'a.*', '*']],
    ['*.a.test', ['*.a.test', '*']],
    ['192.0.2.7', []],
    ['2001:db8::1', []],
  ])('K3 %s is bound by %j: a star stands for one label', (name, patterns) => {
    expect(bindingPatterns(name)).toEqual(patterns);
  });

  it('give way when what is bound is expired or revoked, and that is told', () => {
    const bound = held('bound', 'upload', 'www.example.org', { ...past, domain: 'example.org' });
    const asked = question({
      candidates: [bound, issued, fallback],
      bindings: { 'www.example.com': 'bound' },
    });
    expect(choose(asked)).toEqual({ candidate: issued, rank: 'issued exact', yielding: bound });
    const alone = question({ candidates: [bound, fallback], bindings: { 'www.example.com': 'bound' } });
    expect(choose(alone)).toEqual({ candidate: fallback, rank: 'fallback', yielding: bound });
    const revoked = { ...bound, certificate: uploaded.certificate, revokedAt: t0 - day };
    const other = question({ candidates: [revoked, issued], bindings: { 'www.example.com': 'uploaded' } });
    expect(choose(other)).toMatchObject({ candidate: issued, yielding: revoked });
  });

  it('of a valid certificate tell of nothing', () => {
    expect(choose(question({ bindings: { '*.example.com': 'foreign' } }))).toEqual({
      candidate: foreign,
      rank: 'binding',
    });
  });

  it('may name one of each key class', () => {
    const bindingsOfBoth = { 'www.example.com': 'foreign issued' };
    expect(chosen({ candidates: [foreign, uploaded], bindings: bindingsOfBoth })).toBe('foreign');
    expect(chosen({ candidates: [issued, uploaded], bindings: bindingsOfBoth })).toBe('issued');
  });

  it('to a certificate that is not held count for nothing', () => {
    expect(chosen({ bindings: { 'www.example.com': 'gone' } })).toBe('uploaded');
  });

  it('hold for a place with several names only if each of them is bound to it', () => {
    const names = ['www.example.com', 'example.com'];
    const candidates = [foreign, issuedStar];
    expect(chosen({ names, candidates, bindings: { 'www.example.com': 'foreign' } })).toBe('issued star');
    expect(
      chosen({ names, candidates, bindings: { 'www.example.com': 'foreign', 'example.*': 'foreign' } }),
    ).toBe('foreign');
  });
});

describe('the choice', () => {
  const endsAt = (asked: Asked) => {
    const given = question(asked);
    const choice = choose(given);
    return choice && choiceEndsAt(choice, given);
  };

  it('ends with what was chosen', () => {
    expect(endsAt({})).toBe(t0 + 90 * day);
    expect(endsAt({ candidates: [held('x', 'acme', 'www.example.com', { revokedAt: t0 })] })).toBe(
      t0 + 10 * minute,
    );
  });

  it('ends when a better one begins', () => {
    const next = held('next', 'upload', 'www.example.com', { notBefore: t0 + 5 * day });
    expect(endsAt({ candidates: [issued, next] })).toBe(t0 + 5 * day - hour);
  });

  it('has no end where nothing valid is held', () => {
    expect(endsAt({ candidates: [held('x', 'acme', 'www.example.com', past)] })).toBeUndefined();
  });
});

describe('the domain of a name', () => {
  const domains = new Set(['example.com', 'shop.example.com', '192.0.2.7']);

  it.each([
    ['www.example.com', 'example.com'],
    ['shop.example.com', 'shop.example.com'],
    ['a.shop.example.com', 'shop.example.com'],
    ['*.shop.example.com', 'shop.example.com'],
    ['192.0.2.7', '192.0.2.7'],
    ['notexample.com', undefined],
    ['com', undefined],
  ])('of %s is %s', (name, domain) => {
    expect(ownDomain(name, domains)).toBe(domain);
  });
});
