import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createBudget } from '../../src/acme/budget.ts';
import { limitsOf } from '../../src/acme/limits.ts';
import { systemClock } from '../../src/clock.ts';
import { presets } from '../../src/config/presets.ts';
import { AgentError } from '../../src/core/errors.ts';
import type { Admission, Buckets, Budget, OrderIntent } from '../../src/core/ports.ts';
import { secret } from '../../src/core/secret.ts';
import { openStore, type Store } from '../../src/store/index.ts';
import { type AnyRedis, anyRedis } from '../support/any-redis.ts';
import { createMemoryLog } from '../support/memory.ts';

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;
/** Until the CA must have counted a certificate; a full bucket refills from then on. */
const settledMs = 2 * hour;
const start = Date.UTC(2026, 10, 20);

let redis: AnyRedis;
let store: Store;
let now: number;
let budget: Budget;

beforeAll(async () => {
  redis = await anyRedis();
});
beforeEach(async () => {
  now = start;
  store = await openStore({
    redis: { url: redis.url },
    prefix: redis.prefix(),
    masterKeys: [secret<Uint8Array>(randomBytes(32))],
    clock: systemClock,
    log: createMemoryLog(),
  });
  budget = ledger();
  return () => store.close();
});
afterAll(() => redis?.stop());

/** Let's Encrypt under two names (two accounts there), and a CA whose limits nobody knows. */
function ledger(clockOffMs = 0, buckets: Buckets = store.buckets): Budget {
  const { directoryUrl } = presets.letsencrypt;
  const limits = limitsOf(directoryUrl, undefined);
  return createBudget(
    [
      { name: 'le', directoryUrl, limits },
      { name: 'other', directoryUrl, limits },
      { name: 'unknown', directoryUrl: 'https://ca.example/directory', limits: {} },
    ],
    { buckets, clock: { ...systemClock, now: () => now + clockOffMs }, log: createMemoryLog() },
  );
}

function order(change: Partial<OrderIntent> = {}): OrderIntent {
  return { issuer: 'le', names: ['www.example.com'], isAdvised: false, urgent: false, ...change };
}

/** How many of these orders are admitted at once. */
async function admitted(count: number, intent: (index: number) => OrderIntent): Promise<number> {
  const all = await Promise.all(Array.from({ length: count }, (_, index) => budget.admit(intent(index))));
  return all.filter((one) => one.admitted).length;
}

const host = (index: number, domain = 'example.com') => [`h${index}.${domain}`];

describe('the ledger', () => {
  it('admits as many orders, certificates and duplicates as the CA documents, and names the limit in the way', async () => {
    expect(await admitted(310, (index) => order({ names: host(0, `d${index}.test`) }))).toBe(300);
    const refused = await budget.admit(order());
    expect(refused).toMatchObject({ admitted: false, limit: 'orders of the account (300 in 3 hours)' });
    now = refused.admitted ? 0 : refused.readyAt - 1;
    expect(await budget.admit(order())).toMatchObject({ admitted: false, readyAt: now + 1 });
    now += 1;
    expect(await budget.admit(order())).toMatchObject({ admitted: true });
    now += day;
    expect(await admitted(55, (index) => order({ names: host(index) }))).toBe(50);
    expect(await budget.admit(order())).toMatchObject({
      limit: 'certificates for example.com (50 in 7 days)',
    });
    expect(await admitted(8, () => order({ names: ['a.example.org', 'b.example.org'] }))).toBe(5);
    expect(await budget.admit(order({ names: ['b.example.org', 'a.example.org'] }))).toMatchObject({
      limit: 'certificates for exactly these names (5 in 7 days)',
    });
  });

  it('names the limit that takes longest of several in the way', async () => {
    await admitted(5, () => order());
    await admitted(295, (index) => order({ names: host(0, `d${index}.test`) }));
    expect(await budget.admit(order())).toMatchObject({
      limit: 'certificates for exactly these names (5 in 7 days)',
      readyAt: start + settledMs + (7 * day) / 5,
    });
  });

  it('admits everything at a CA whose limits are not known', async () => {
    expect(await admitted(400, () => order({ issuer: 'unknown' }))).toBe(400);
  });

  it('counts certificates for the CA, orders for the account', async () => {
    expect(await admitted(50, (index) => order({ names: host(index) }))).toBe(50);
    expect(await budget.admit(order({ issuer: 'other' }))).toMatchObject({ admitted: false });
    const [mine, others] = await Promise.all([budget.levels('le', []), budget.levels('other', [])]);
    expect([mine[0]?.left, others[0]?.left]).toEqual([250, 300]);
  });

  it('takes nothing for an order that the CA advised', async () => {
    expect(await admitted(20, () => order({ isAdvised: true }))).toBe(20);
    expect(await budget.levels('le', [['www.example.com']])).toMatchObject([
      { left: 300 },
      { left: 50 },
      { left: 5 },
      { left: 5 },
    ]);
  });

  it('takes neither order nor domain for the same names within 120 days, only the exact set', async () => {
    const renewal = order({ lastIssuedAt: start - 119 * day });
    expect(await admitted(7, () => renewal)).toBe(5);
    const left = (await budget.levels('le', [['www.example.com']])).map((level) => level.left);
    expect(left).toEqual([300, 50, 0, 5]);
    await budget.admit(order({ names: ['old.example.com'], lastIssuedAt: start - 121 * day }));
    expect((await budget.levels('le', []))[0]?.left).toBe(299);
  });

  it('does not send an order for a name that the CA failed five times in an hour', async () => {
    for (let failure = 0; failure < 5; failure++) await budget.validationFailed('le', ['www.example.com']);
    expect(await budget.admit(order())).toEqual({
      admitted: false,
      limit: 'failed validations of www.example.com (5 in 1 hour)',
      readyAt: start + 12 * minute,
    });
    expect(await budget.admit(order({ names: ['shop.example.com'] }))).toMatchObject({ admitted: true });
    expect(await budget.admit(order({ issuer: 'other' }))).toMatchObject({ admitted: true });
    now += 12 * minute;
    expect(await budget.admit(order())).toMatchObject({ admitted: true });
  });

  it('gets certificates back that were not issued, and never orders', async () => {
    const admission = await budget.admit(order());
    now += 30 * minute;
    await budget.giveBack(spentOf(admission));
    const left = (await budget.levels('le', [['www.example.com']])).map((level) => level.left);
    expect(left).toEqual([300, 50, 5, 5]);
    now = start;
    expect(spentOf(admission).map(({ key }) => key.replace(/^.*directory/, ''))).toEqual([
      '/certificatesPerDomain/example.com',
      expect.stringMatching(/^\/certificatesPerNames\/[\w-]{22}$/),
    ]);
  });
});

describe('an urgent order', () => {
  it('is sent though there is no room, once per refill of the limit in the way', async () => {
    await admitted(50, (index) => order({ names: host(index) }));
    expect(await budget.admit(order({ urgent: true }))).toMatchObject({ admitted: true, isProbe: true });
    const again = await budget.admit(order({ names: ['next.example.com'], urgent: true }));
    expect(again).toMatchObject({ admitted: false });
    now += (7 * day) / 50;
    const next = await budget.admit(order({ names: ['next.example.com'], urgent: true }));
    expect(next).toMatchObject({ admitted: true, isProbe: true });
  });

  it('is none of a limit that another agent uses up at that moment', async () => {
    await admitted(50, (index) => order({ names: host(index) }));
    const first = store.buckets.take;
    const take: Buckets['take'] = async (...asked) => {
      const answer = await first(...asked);
      await admitted(250, (index) => order({ names: host(0, `d${index}.test`) }));
      return answer;
    };
    expect(await ledger(0, { ...store.buckets, take }).admit(order({ urgent: true }))).toMatchObject({
      admitted: false,
    });
  });

  it('is no probe where there is room', async () => {
    expect(await budget.admit(order({ urgent: true }))).toMatchObject({ admitted: true, isProbe: false });
  });

  it('leaves the ledger owing what it took, until the CA refuses it', async () => {
    await admitted(5, () => order());
    const probe = await budget.admit(order({ urgent: true }));
    const owing = (await budget.levels('le', [['www.example.com']]))[2];
    expect(owing?.readyAt).toBeGreaterThan(start + (2 * 7 * day) / 5 - minute);
    await budget.giveBack(spentOf(probe));
    const after = (await budget.levels('le', [['www.example.com']]))[2];
    expect(after?.readyAt).toBe(start + settledMs + (7 * day) / 5);
  });
});

describe('what the CA answers', () => {
  const asked = { ...order(), isUnderWay: false };
  const refusal = (detail: string, retryAt: number) => {
    const problem = { type: 'urn:ietf:params:acme:error:rateLimited', detail };
    return new AgentError('acme.rateLimited', detail, { retryAt, facts: { status: 429, problem } });
  };
  const tooMany = 'too many certificates (50) already issued for "example.com" in the last 168h0m0s';

  it('empties the limit that it names until then: others had used the domain', async () => {
    await budget.learn(asked, refusal(tooMany, start + 3 * hour));
    expect(await budget.admit(order())).toMatchObject({ admitted: false, readyAt: start + 3 * hour });
    expect(await budget.admit(order({ names: ['www.example.org'] }))).toMatchObject({ admitted: true });
    now += 3 * hour;
    expect(await budget.admit(order())).toMatchObject({ admitted: true });
    expect(await budget.admit(order({ names: ['b.example.com'] }))).toMatchObject({ admitted: false });
  });

  it('holds also when an order is given back that was admitted before it', async () => {
    const before = await budget.admit(order());
    now += minute;
    await budget.learn(asked, refusal(tooMany, now + 3 * hour));
    await budget.giveBack(spentOf(before));
    expect(await budget.admit(order({ names: ['b.example.com'] }))).toMatchObject({
      admitted: false,
      readyAt: now + 3 * hour,
    });
  });

  it('is believed no longer than the limit takes to refill', async () => {
    await budget.learn(asked, refusal('too many new orders (300) from this account', start + 400 * day));
    expect(await budget.admit(order())).toMatchObject({ admitted: false, readyAt: start + 3 * hour });
  });

  it('changes nothing where it names no instant', async () => {
    const problem = { type: 'urn:ietf:params:acme:error:rateLimited', detail: 'Service busy' };
    await budget.learn(
      asked,
      new AgentError('acme.rateLimited', 'busy', { facts: { status: 429, problem } }),
    );
    expect(await budget.admit(order())).toMatchObject({ admitted: true });
  });
});

describe('a clock that is wrong', () => {
  it('by an hour ahead gives at most what refills in that hour, and stops nobody when it is set back', async () => {
    await admitted(300, (index) => order({ names: host(0, `d${index}.test`) }));
    const own = budget;
    budget = ledger(hour);
    const ahead = await admitted(200, (index) => order({ names: host(1, `d${index}.test`) }));
    expect(ahead).toBeGreaterThan(90);
    expect(ahead).toBeLessThanOrEqual(100);
    budget = own;
    expect(await budget.admit(order())).toMatchObject({ admitted: false });
    now += hour + 2 * minute;
    expect(await budget.admit(order())).toMatchObject({ admitted: true });
  });

  it('by years does not close the ledger for years', async () => {
    budget = ledger(3000 * day);
    await admitted(300, (index) => order({ names: host(0, `d${index}.test`) }));
    budget = ledger();
    await budget.admit(order());
    now += 5 * minute;
    expect(await budget.admit(order())).toMatchObject({ admitted: true });
  });
});

describe('the outlook', () => {
  it('tells what is left and when the next may go, and changes nothing', async () => {
    expect(await budget.foresee([order()])).toEqual([{ readyAt: start }]);
    await admitted(5, () => order());
    for (let look = 0; look < 2; look++)
      expect(await budget.foresee([order()])).toEqual([
        {
          readyAt: start + settledMs + (7 * day) / 5,
          limit: 'certificates for exactly these names (5 in 7 days)',
        },
      ]);
    expect(await budget.foresee([order({ isAdvised: true })])).toEqual([{ readyAt: start }]);
    expect(await budget.levels('unknown', [['www.example.com']])).toEqual([]);
    expect(await budget.levels('nobody', [['www.example.com']])).toEqual([]);
  });
});

describe('the outlook of a wave', () => {
  it('has each order wait for those before it', async () => {
    const wave = Array.from({ length: 302 }, (_, index) => order({ names: host(0, `d${index}.test`) }));
    const limit = 'orders of the account (300 in 3 hours)';
    const outlooks = await budget.foresee(wave);
    expect(outlooks.slice(0, 300)).toEqual(wave.slice(0, 300).map(() => ({ readyAt: start })));
    const apart = (3 * hour) / 300;
    expect(outlooks.slice(300)).toEqual([
      { readyAt: start + apart, limit },
      { readyAt: start + 2 * apart, limit },
    ]);
  });
});

function spentOf(admission: Admission) {
  return admission.admitted ? admission.spent : [];
}
