import { describe, expect, it } from 'vitest';
import { createHttp01Solver } from '../../src/challenge/http01.ts';
import { createSolvers } from '../../src/challenge/index.ts';
import type { ChallengeTokens, ChallengeToSolve } from '../../src/core/ports.ts';
import { createTokens, fixedClock } from '../edge/tokens.ts';

const signal = new AbortController().signal;
const hour = 3_600_000;

function challenge(token: string, expiresAt: number): ChallengeToSolve {
  return {
    lineage: 'example.com/www.example.com/ec',
    domain: 'example.com',
    identifier: { type: 'dns', value: 'www.example.com' },
    wildcard: false,
    names: ['example.test'],
    token,
    keyAuthorization: `${token}.thumbprint`,
    accountUrl: 'https://ca.test/account/1',
    expiresAt,
  };
}

describe('the http-01 solver', () => {
  const clock = fixedClock(1_000 * hour);

  it('presents many challenges at once and gives their ids in order', async () => {
    const tokens = createTokens();
    const solver = createHttp01Solver({ tokens, clock });
    const asked = ['one', 'two', 'three'].map((token) => challenge(token, clock.now() + hour));
    const ids = await solver.present(asked, signal);

    expect(ids).toEqual(['http-01:one', 'http-01:two', 'http-01:three']);
    expect(tokens.held()).toEqual({
      one: { keyAuthorization: 'one.thumbprint', expiresAt: clock.now() + hour },
      two: { keyAuthorization: 'two.thumbprint', expiresAt: clock.now() + hour },
      three: { keyAuthorization: 'three.thumbprint', expiresAt: clock.now() + hour },
    });
    await expect(solver.ready('http-01:two', signal)).resolves.toBe(true);
  });

  it('presents again without harm', async () => {
    const tokens = createTokens();
    const solver = createHttp01Solver({ tokens, clock });
    const asked = [challenge('one', clock.now() + hour)];
    expect(await solver.present(asked, signal)).toEqual(await solver.present(asked, signal));
    expect(Object.keys(tokens.held())).toEqual(['one']);
  });

  it('keeps a token for a while even if our clock says that it has lapsed', async () => {
    const tokens = createTokens();
    await createHttp01Solver({ tokens, clock }).present([challenge('one', clock.now() - hour)], signal);
    expect(tokens.held().one?.expiresAt).toBeGreaterThan(clock.now());
  });

  it('cleans up from another process, twice, and what was never there', async () => {
    const tokens = createTokens();
    const ids = await createHttp01Solver({ tokens, clock }).present(
      [challenge('one', clock.now() + hour), challenge('two', clock.now() + hour)],
      signal,
    );
    const other = createHttp01Solver({ tokens, clock });
    await other.cleanUp(ids.slice(0, 1), signal);
    expect(Object.keys(tokens.held())).toEqual(['two']);
    await other.cleanUp([...ids, 'http-01:never'], signal);
    expect(tokens.held()).toEqual({});
  });

  it('tells when the token of an id was fetched, until that is stopped', () => {
    const tokens = createTokens();
    const solver = createHttp01Solver({ tokens, clock });
    let seen = 0;
    const stop = solver.onFetched?.('http-01:one', () => {
      seen += 1;
    });
    tokens.announceFetched('two');
    tokens.announceFetched('one');
    stop?.();
    tokens.announceFetched('one');
    expect(seen).toBe(1);
  });

  it('passes on that the store cannot be reached', async () => {
    const broken: ChallengeTokens = { ...createTokens(), put: () => Promise.reject(new Error('no store')) };
    const solver = createHttp01Solver({ tokens: broken, clock });
    await expect(solver.present([challenge('one', 0)], signal)).rejects.toThrow('no store');
  });
});

describe('the solvers of an agent', () => {
  it('are found by challenge type; those of drafts only where the file allows them', () => {
    const http01 = createHttp01Solver({ tokens: createTokens(), clock: fixedClock(0) });
    const persist = { ...http01, type: 'dns-persist-01' as const };
    const all = {
      'http-01': http01,
      'dns-01': http01,
      'tls-alpn-01': http01,
      'dns-account-01': http01,
      'dns-persist-01': persist,
    };
    const solvers = createSolvers(all, ['dns-persist-01']);
    expect(solvers.get('http-01')).toBe(http01);
    expect(solvers.get('dns-persist-01')).toBe(persist);
    expect(() => solvers.get('dns-account-01')).toThrow(
      expect.objectContaining({
        code: 'order.noChallenge',
        message:
          'dns-account-01 is of a draft that may still change: to use it, name it under "experimental" in the configuration file',
      }),
    );
    expect(() => createSolvers(all).get('dns-persist-01')).toThrow('dns-persist-01');
  });
});
