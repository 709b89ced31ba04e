import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CaaQuestion, type CaaRecord, caaFor, caaLine, judgeCaa } from '../../../src/core/order/caa.ts';

/** As in a zone file: `0 issue "ca1.example.net"`. */
function records(...lines: readonly string[]): readonly CaaRecord[] {
  return lines.map((line) => {
    const [, flags, tag = '', value = ''] = /^(\d+) (\S+) "(.*)"$/.exec(line) ?? [];
    return { critical: Number(flags) >= 128, tag, value };
  });
}

const ca1: CaaQuestion = {
  identities: ['ca1.example.net', 'ca1-other.example.net'],
  account: 'https://ca1.example.net/account/1234',
  challenge: 'http-01',
  wildcard: false,
};
const wild = { ...ca1, challenge: 'dns-01', wildcard: true } as const;

describe('the examples of RFC 8659', () => {
  it.each<readonly [string, readonly string[], CaaQuestion, string]>([
    ['names this CA', ['0 issue "ca1.example.net"'], ca1, 'yes'],
    ['names this CA by its other name', ['0 issue "CA1-other.example.NET"'], ca1, 'yes'],
    ['names another CA', ['0 issue "ca2.example.org"'], ca1, 'no'],
    ['names two CAs', ['0 issue "ca2.example.org"', '0 issue "ca1.example.net"'], ca1, 'yes'],
    [
      'names this CA with an account in its own terms',
      ['0 issue "ca1.example.net; account=230123"'],
      ca1,
      'yes',
    ],
    ['names nobody', ['0 issue ";"'], ca1, 'no'],
    ['names nobody, by an empty value', ['0 issue ""'], ca1, 'no'],
    ['is malformed, which names nobody', ['0 issue "%%%%%"'], ca1, 'no'],
    ['names nobody and this CA', ['0 issue ";"', '0 issue "ca1.example.net"'], ca1, 'yes'],
    ['only asks for reports', ['0 iodef "mailto:security@example.com"'], ca1, 'yes'],
    [
      'has a critical property that is unknown',
      ['0 issue "ca1.example.net"', '128 tbs "Unknown"'],
      ca1,
      'no',
    ],
    [
      'has an unknown property that is not critical',
      ['0 issue "ca1.example.net"', '0 tbs "Unknown"'],
      ca1,
      'yes',
    ],
    ['marks a known property critical', ['128 issue "ca1.example.net"'], ca1, 'yes'],
    ['speaks of wildcards only', ['0 issuewild "ca2.example.org"'], ca1, 'yes'],
    ['speaks of no wildcard', ['0 issue "ca1.example.net"'], wild, 'yes'],
    ['speaks of no wildcard, and names another CA', ['0 issue "ca2.example.org"'], wild, 'no'],
    [
      'gives wildcards to another',
      ['0 issue "ca1.example.net"', '0 issuewild "ca2.example.org"'],
      wild,
      'no',
    ],
    [
      'gives wildcards to this CA',
      ['0 issue "ca2.example.org"', '0 issuewild "ca1.example.net"'],
      wild,
      'yes',
    ],
    ['gives wildcards alone to nobody', ['0 issue "ca1.example.net"', '0 issuewild ";"'], wild, 'no'],
    [
      'gives wildcards to nobody, and a host is asked for',
      ['0 issue "ca1.example.net"', '0 issuewild ";"'],
      ca1,
      'yes',
    ],
    ['spells the tag in capitals', ['0 ISSUE "ca2.example.org"'], ca1, 'no'],
  ])('a set that %s', (_, lines, question, says) => {
    expect(judgeCaa(records(...lines), question).says).toBe(says);
  });
});

describe('the limits of RFC 8657', () => {
  const account = 'accounturi=https://ca1.example.net/account/1234';
  it.each<readonly [string, string, string]>([
    ['our account', account, 'yes'],
    ['another account', 'accounturi=https://ca1.example.net/account/1', 'no'],
    ['our account twice', `${account}; ${account}`, 'no'],
    ['our method', 'validationmethods=dns-01,http-01', 'yes'],
    ['another method', 'validationmethods=dns-01', 'no'],
    ['no method at all', 'validationmethods=', 'no'],
    ['a malformed list of methods', 'validationmethods=http-01,', 'no'],
    ['two lists of methods', 'validationmethods=http-01; validationmethods=http-01', 'no'],
    ['account and method', `${account};validationmethods=http-01`, 'yes'],
    ['our account by another method', `${account}; validationmethods=dns-01`, 'no'],
    ['a parameter without a value', 'policy', 'no'],
    ['white space around all of it', ` \t${account} \t`, 'yes'],
  ])('this CA with %s', (_, parameters, says) => {
    expect(judgeCaa(records(`0 issue "ca1.example.net;${parameters}"`), ca1).says).toBe(says);
  });

  it('cannot be judged while there is no account', () => {
    const set = records(`0 issue "ca1.example.net; ${account}"`);
    expect(judgeCaa(set, { ...ca1, account: undefined })).toMatchObject({ says: 'unclear' });
  });
});

describe('a CA that does not say by which name it goes', () => {
  const nameless = { ...ca1, identities: [] };

  it('may or may not be the one that is named', () => {
    const verdict = judgeCaa(records('0 issue "ca2.example.org"'), nameless);
    expect(verdict).toMatchObject({ says: 'unclear', reason: expect.stringContaining('ca2.example.org') });
  });

  it('is not it where nobody is named', () => {
    expect(judgeCaa(records('0 issue ";"'), nameless)).toMatchObject({ says: 'no', add: undefined });
  });
});

describe('a no', () => {
  const remedy = (lines: readonly string[], question: CaaQuestion) => {
    const verdict = judgeCaa(records(...lines), question);
    return verdict.says === 'no' && verdict.add !== undefined
      ? caaLine('example.com', verdict.add)
      : undefined;
  };

  it('comes with the record to add, with our account', () => {
    expect(remedy(['0 issue "ca2.example.org"'], ca1)).toBe(
      'example.com. IN CAA 0 issue "ca1.example.net; accounturi=https://ca1.example.net/account/1234"',
    );
  });

  it('for a wildcard comes with issuewild where there is one', () => {
    expect(remedy(['0 issuewild ";"'], wild)).toMatch(
      /^example\.com\. IN CAA 0 issuewild "ca1\.example\.net;/,
    );
  });

  it('keeps to methods where the set does', () => {
    expect(remedy(['0 issue "ca1.example.net; validationmethods=dns-01"'], ca1)).toMatch(
      /; validationmethods=http-01"$/,
    );
  });

  it('of a critical property comes with the record to remove', () => {
    const [, strange] = records('0 issue "ca1.example.net"', '128 tbs "Unknown"');
    expect(judgeCaa(records('0 issue "ca1.example.net"', '128 tbs "Unknown"'), ca1)).toMatchObject({
      says: 'no',
      remove: [strange],
    });
  });

  it('says what is wrong, for people', () => {
    const reason = (...lines: readonly string[]) => {
      const verdict = judgeCaa(records(...lines), ca1);
      return verdict.says === 'no' ? verdict.reason : '';
    };
    expect(reason('0 issue "ca2.example.org"')).toBe('allow only ca2.example.org');
    expect(reason('0 issue ";"')).toBe('allow no CA at all');
    expect(reason('0 issue "ca1.example.net; validationmethods=dns-01"')).toBe(
      'allow ca1.example.net for validation by dns-01 only, not by http-01',
    );
  });
});

describe('whatever stands in the DNS', () => {
  const value = fc.oneof(
    fc.string(),
    fc.constantFrom(
      '',
      ';',
      'ca1.example.net',
      'ca2.example.org',
      'ca1.example.net; validationmethods=dns-01',
    ),
  );
  const record = fc.record({
    critical: fc.boolean(),
    tag: fc.oneof(fc.string(), fc.constantFrom('issue', 'issuewild', 'iodef', 'Issue')),
    value,
  });
  const question = fc.record({
    identities: fc.constant(ca1.identities),
    account: fc.constant(ca1.account),
    challenge: fc.constantFrom('http-01' as const, 'dns-01' as const),
    wildcard: fc.boolean(),
  });

  it('a no becomes a yes when its remedy is carried out', () => {
    fc.assert(
      fc.property(fc.array(record, { maxLength: 6 }), question, (set, asked) => {
        const verdict = judgeCaa(set, asked);
        if (verdict.says !== 'no') return;
        const rest = set.filter((one) => verdict.remove?.includes(one) !== true);
        const mended = verdict.add === undefined ? rest : [...rest, verdict.add];
        const next = judgeCaa(mended, asked);
        // What had to go first may have hidden that another CA is named.
        if (next.says === 'no') expect(verdict.remove).toBeDefined();
        const again = next.says === 'no' && next.add !== undefined ? [...mended, next.add] : mended;
        expect(judgeCaa(again, asked).says).toBe('yes');
      }),
    );
  });

  it('the order of records does not matter', () => {
    fc.assert(
      fc.property(fc.array(record, { maxLength: 5 }), question, (set, asked) => {
        expect(judgeCaa([...set].reverse(), asked).says).toBe(judgeCaa(set, asked).says);
      }),
    );
  });

  it('a permission for this CA beside it is enough, but for critical properties', () => {
    const own = caaFor(ca1);
    const ownWild = caaFor(ca1, 'issuewild');
    if (own === undefined || ownWild === undefined) throw new Error('the CA has a name');
    fc.assert(
      fc.property(fc.array(record, { maxLength: 5 }), question, (set, asked) => {
        const calm = set.map((one) => ({ ...one, critical: false }));
        expect(judgeCaa([...calm, own, ownWild], asked).says).toBe('yes');
      }),
    );
  });
});
