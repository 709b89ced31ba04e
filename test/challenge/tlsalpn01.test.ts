import { describe, expect, it } from 'vitest';
import { createTlsAlpn01Solver } from '../../src/challenge/tlsalpn01.ts';
import type { ChallengeToSolve, Clock } from '../../src/core/ports.ts';
import { createTlsAnswers } from '../edge/tls-answers.ts';
import { createTokens, fixedClock } from '../edge/tokens.ts';

const signal = new AbortController().signal;
const hour = 3_600_000;
const at = 1000 * hour;

function challenge(token: string, change: Partial<ChallengeToSolve> = {}): ChallengeToSolve {
  return {
    lineage: 'example.com/www.example.com/ec',
    domain: 'example.com',
    identifier: { type: 'dns', value: 'www.example.com' },
    token,
    keyAuthorization: `${token}.thumbprint`,
    expiresAt: at + hour,
    wildcard: false,
    names: ['example.test'],
    accountUrl: 'https://ca.example/account/1',
    ...change,
  };
}

function solverAt(clock: Clock = fixedClock(at)) {
  const tlsAnswers = createTlsAnswers();
  const tokens = createTokens();
  return { tlsAnswers, tokens, solver: createTlsAlpn01Solver({ tlsAnswers, tokens, clock }) };
}

describe('the tls-alpn-01 solver', () => {
  it('presents names and addresses by the name that the CA asks for', async () => {
    const { solver, tlsAnswers } = solverAt();
    const ids = await solver.present(
      [
        challenge('one'),
        challenge('two', { identifier: { type: 'ip', value: '192.0.2.7' } }),
        challenge('six', { identifier: { type: 'ip', value: '2001:db8::7' } }),
      ],
      signal,
    );
    const six = `7${'.0'.repeat(23)}.8.b.d.0.1.0.0.2.ip6.arpa`;
    expect(ids).toEqual([
      'tls-alpn-01:www.example.com:one',
      'tls-alpn-01:7.2.0.192.in-addr.arpa:two',
      `tls-alpn-01:${six}:six`,
    ]);
    expect(tlsAnswers.held().map(({ identifier }) => identifier)).toEqual([
      'www.example.com',
      '192.0.2.7',
      '2001:db8::7',
    ]);
    for (const id of ids) await expect(solver.ready(id, signal)).resolves.toBe(true);
  });

  it('presents again without harm, and keeps an answer for a while whatever our clock says', async () => {
    const { solver, tlsAnswers } = solverAt();
    const asked = [challenge('one', { expiresAt: at - hour })];
    expect(await solver.present(asked, signal)).toEqual(await solver.present(asked, signal));
    expect(tlsAnswers.held()).toHaveLength(1);
    expect(tlsAnswers.held()[0]?.expiresAt).toBeGreaterThan(at);
  });

  it('lets orders for the same name take turns: the next look comes later the longer it takes', async () => {
    let now = at;
    const { solver } = solverAt({ ...fixedClock(at), now: () => now });
    const [first = ''] = await solver.present([challenge('one')], signal);
    const [second = ''] = await solver.present([challenge('two')], signal);
    await expect(solver.ready(first, signal)).resolves.toBe(true);
    await expect(solver.ready(second, signal)).resolves.toEqual({ checkAgainAt: now + 250 });
    now += 20_000;
    await expect(solver.ready(second, signal)).resolves.toEqual({ checkAgainAt: now + 10_000 });
    now += hour;
    await expect(solver.ready(second, signal)).resolves.toEqual({ checkAgainAt: now + 60_000 });
    await solver.cleanUp([first], signal);
    await expect(solver.ready(second, signal)).resolves.toBe(true);
  });

  it('says that its time is over when its answer is gone', async () => {
    const { solver } = solverAt();
    const [id = ''] = await solver.present([challenge('one')], signal);
    await solver.cleanUp([id, id], signal);
    await expect(solver.ready(id, signal)).rejects.toMatchObject({ code: 'order.expired' });
  });

  it('tells when the CA has seen the answer, until that is stopped', () => {
    const { solver, tokens } = solverAt();
    let seen = 0;
    const stop = solver.onFetched?.('tls-alpn-01:www.example.com:one', () => {
      seen += 1;
    });
    tokens.announceFetched('two');
    tokens.announceFetched('one');
    stop?.();
    tokens.announceFetched('one');
    expect(seen).toBe(1);
  });
});
