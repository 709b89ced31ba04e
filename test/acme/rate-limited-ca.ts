import { AgentError } from '../../src/core/errors.ts';
import type { Instant, LimitName } from '../../src/core/types.ts';

export interface Order {
  readonly names: readonly string[];
  readonly exempt: 'none' | 'renewal' | 'advised';
}

/** The CA's own token buckets: limits are looked at when an order comes, certificates counted when they are issued. */
export interface RateLimitedCa {
  /** Throws what the CA answers to an order that exceeds a limit; `facts.bucket` names it. */
  newOrder(order: Order, now: Instant): void;
  /** It takes no order until then, whatever its limits. */
  closeUntil(at: Instant): void;
  issue(order: Order, now: Instant): void;
  /** It could not validate these names. */
  fail(order: Order, now: Instant): void;
  /** Limits that an order counts against. */
  touched(order: Order): readonly string[];
  /** Certificates and orders beyond a limit. */
  readonly exceeded: readonly string[];
  /** By how much, as the time in which the limit refills it. */
  readonly exceededByMs: number;
}

type Numbers = Readonly<Record<LimitName, { readonly count: number; readonly perMs: number }>>;

interface Level {
  tokens: number;
  at: Instant;
}

export const rounding = 1e-6;

/** Words and links as Let's Encrypt has them. */
const texts: Readonly<Record<LimitName, (about: string) => string>> = {
  ordersPerAccount: () =>
    'too many new orders (6) from this account: see https://ca.test/#new-orders-per-account',
  certificatesPerDomain: (about) =>
    `too many certificates (4) already issued for "${about}": see https://ca.test/#new-certificates-per-registered-domain`,
  certificatesPerNames: () =>
    'too many certificates (2) already issued for this exact set: see https://ca.test/#new-certificates-per-exact-set-of-identifiers',
  failuresPerName: (about) =>
    `too many failed authorizations (2) for "${about}": see https://ca.test/#authorization-failures-per-identifier-per-account`,
};

export function createRateLimitedCa(numbers: Numbers): RateLimitedCa {
  const levels = new Map<string, Level>();
  const exceeded: string[] = [];
  let exceededByMs = 0;
  let closedUntil = 0;

  function level(name: LimitName, about: string, now: Instant): Level {
    const { count, perMs } = numbers[name];
    const one = levels.get(`${name} ${about}`) ?? { tokens: count, at: now };
    one.tokens = Math.min(count, one.tokens + ((now - one.at) * count) / perMs);
    one.at = now;
    levels.set(`${name} ${about}`, one);
    return one;
  }

  function met({ names, exempt }: Order): readonly (readonly [LimitName, string])[] {
    if (exempt === 'advised') return [];
    const domains = new Set(names.map((name) => name.split('.').slice(-2).join('.')));
    const all: (readonly [LimitName, string])[] = [
      ['ordersPerAccount', ''],
      ...[...domains].map((domain) => ['certificatesPerDomain', domain] as const),
      ['certificatesPerNames', [...names].sort().join()],
      ...names.map((name) => ['failuresPerName', name] as const),
    ];
    const isFree = ([name]: readonly [LimitName, string]) =>
      exempt === 'renewal' && (name === 'ordersPerAccount' || name === 'certificatesPerDomain');
    return all.filter((one) => !isFree(one));
  }

  function newOrder(order: Order, now: Instant): void {
    if (closedUntil > now) throw limited('try again later', 'closed', closedUntil);
    const refused = met(order).flatMap(([name, about]) => {
      const { tokens } = level(name, about, now);
      const { count, perMs } = numbers[name];
      return tokens >= 1 - rounding
        ? []
        : [{ name, about, waitMs: Math.ceil(((1 - tokens) * perMs) / count) }];
    });
    const [last] = refused.toSorted((a, b) => b.waitMs - a.waitMs);
    if (last !== undefined)
      throw limited(texts[last.name](last.about), `${last.name} ${last.about}`, now + last.waitMs);
    spend(order, 'ordersPerAccount', now);
  }

  function spend(order: Order, kind: LimitName, now: Instant): void {
    for (const [name, about] of met(order).filter(([one]) => one === kind)) {
      const one = level(name, about, now);
      const { count, perMs } = numbers[name];
      if (one.tokens < 1 - rounding) {
        exceeded.push(`${name} ${about}`);
        exceededByMs = Math.max(exceededByMs, ((1 - one.tokens) * perMs) / count);
      }
      one.tokens -= 1;
    }
  }

  return {
    newOrder,
    closeUntil: (at) => {
      closedUntil = at;
    },
    issue: (order, now) => {
      spend(order, 'certificatesPerDomain', now);
      spend(order, 'certificatesPerNames', now);
    },
    fail: (order, now) => {
      for (const name of order.names) {
        const one = level('failuresPerName', name, now);
        one.tokens = Math.max(0, one.tokens - 1);
      }
    },
    touched: (order) => met(order).map((one) => one.join(' ')),
    exceeded,
    get exceededByMs() {
      return exceededByMs;
    },
  };
}

function limited(detail: string, bucket: string, retryAt: Instant): AgentError {
  const problem = { type: 'urn:ietf:params:acme:error:rateLimited', detail };
  return new AgentError('acme.rateLimited', detail, { retryAt, facts: { status: 429, problem, bucket } });
}
