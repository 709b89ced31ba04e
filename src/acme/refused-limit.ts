import type { AgentError } from '../core/errors.ts';
import type { Problem } from '../core/ports.ts';
import type { HoldName, Instant, LimitName } from '../core/types.ts';
import { domainsOf, setOf } from './charges.ts';

/** What a CA's refusal speaks of. */
export interface RefusedLimit {
  /** Absent: none of those that we keep. */
  readonly limit?: LimitName | undefined;
  /** What to leave the CA alone with, where we keep no such limit for it. */
  readonly hold: HoldName;
  /** What of the order it counts; absent: the account. */
  readonly about?: string | undefined;
  /** When the CA takes the next one. */
  readonly until: Instant;
}

type Meaning = Pick<RefusedLimit, 'limit' | 'hold'>;

/** Let's Encrypt ends its sentence with a link to the limit. The first that fits. */
const signs: readonly (readonly [RegExp, Meaning])[] = [
  [/new-orders-per-account|too many new orders/i, { limit: 'ordersPerAccount', hold: 'orders' }],
  [/per-exact-set-of|exact set of/i, { limit: 'certificatesPerNames', hold: 'ordersForNames' }],
  [
    /certificates-per-registered-domain|too many certificates \(\d+\) already issued for "/i,
    { limit: 'certificatesPerDomain', hold: 'ordersUnderDomain' },
  ],
  [
    /authorization-failures-per|too many failed authorizations/i,
    { limit: 'failuresPerName', hold: 'ordersForName' },
  ],
  [/consecutive/i, { hold: 'ordersForName' }],
  [/registration|new-accounts|new accounts|per-ip/i, { hold: 'orders' }],
  [/\baccount\b/i, { limit: 'ordersPerAccount', hold: 'orders' }],
];

/**
 * What a refusal tells that names the instant of the next attempt; undefined: nothing. `isUnderWay`: it was not about a
 * new order. A CA that is busy (503) is so for every request.
 */
export function refusedLimit(
  error: AgentError,
  { names, isUnderWay }: { readonly names: readonly string[]; readonly isUnderWay: boolean },
): RefusedLimit | undefined {
  const { status } = error.facts;
  const isBusy = status === 503;
  if (!isBusy && (status !== 429 || error.code !== 'acme.rateLimited')) return undefined;
  const text = textOf(error);
  const until = error.retryAt ?? instantIn(text);
  if (until === undefined) return undefined;
  if (isBusy || isUnderWay) return { hold: 'requests', until };
  const meaning = signs.find(([sign]) => sign.test(text))?.[1] ?? { hold: 'orders' };
  return { ...narrowed(meaning, text, names), until };
}

/** One that is about a name, or a domain, which the text does not tell, is about the names as they were ordered. */
function narrowed(
  { limit, hold }: Meaning,
  text: string,
  names: readonly string[],
): Omit<RefusedLimit, 'until'> {
  if (hold === 'orders') return { limit, hold };
  if (hold === 'ordersForNames') return { limit, hold, about: setOf(names) };
  const about = counted(text, hold === 'ordersForName' ? names : domainsOf(names));
  return about === undefined ? { hold: 'ordersForNames', about: setOf(names) } : { limit, hold, about };
}

function textOf({ facts }: AgentError): string {
  const { problem } = facts as { readonly problem?: Problem };
  return [problem, ...(problem?.subproblems ?? [])].map((one) => one?.detail ?? '').join('\n');
}

/** The one in quotation marks, or the only one there is. */
function counted(text: string, choices: readonly string[]): string | undefined {
  const quoted = [...text.matchAll(/"([^"]+)"/g)].map(([, word = '']) => word);
  const named = choices.find((choice) => quoted.includes(choice));
  return named ?? (choices.length === 1 ? choices[0] : undefined);
}

/** "retry after 2026-11-21 10:32:05 UTC". */
function instantIn(text: string): Instant | undefined {
  const [, date, time] = /retry after (\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?: UTC|Z)/.exec(text) ?? [];
  const at = Date.parse(`${date}T${time}Z`);
  return Number.isNaN(at) ? undefined : at;
}
