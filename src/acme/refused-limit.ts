import type { AgentError } from '../core/errors.ts';
import type { Problem } from '../core/ports.ts';
import type { Instant, LimitName } from '../core/types.ts';
import { registeredDomain } from './registered-domain.ts';

/** The limit that a CA's refusal speaks of. */
export interface RefusedLimit {
  readonly name: LimitName;
  /** What of the order it counts; absent: the account. */
  readonly about?: string | undefined;
  /** When the CA takes the next one. */
  readonly until: Instant;
}

/** Let's Encrypt ends its sentence with a link to the limit. The first that fits; undefined: none of ours. */
const signs: readonly (readonly [RegExp, LimitName | undefined])[] = [
  [/new-orders-per-account|too many new orders/i, 'ordersPerAccount'],
  [/per-exact-set-of|exact set of/i, 'certificatesPerNames'],
  [
    /certificates-per-registered-domain|too many certificates \(\d+\) already issued for "/i,
    'certificatesPerDomain',
  ],
  [/authorization-failures-per|too many failed authorizations/i, 'failuresPerName'],
  [/registration|new-accounts|new accounts|per-ip|consecutive/i, undefined],
  [/\baccount\b/i, 'ordersPerAccount'],
];

/** What a `rateLimited` answer to an order of these names tells; undefined: nothing that our ledger could keep. */
export function refusedLimit(error: AgentError, names: readonly string[]): RefusedLimit | undefined {
  const text = textOf(error);
  const until = error.retryAt ?? instantIn(text);
  const name = signs.find(([sign]) => sign.test(text))?.[1];
  if (name === undefined || until === undefined) return undefined;
  if (name === 'ordersPerAccount') return { name, until };
  if (name === 'certificatesPerNames') return { name, about: [...names].sort().join(','), until };
  const about = counted(text, name === 'failuresPerName' ? names : names.map(registeredDomain));
  return about === undefined ? undefined : { name, about, until };
}

function textOf({ facts }: AgentError): string {
  const { problem } = facts as { readonly problem?: Problem };
  return [problem, ...(problem?.subproblems ?? [])].map((one) => one?.detail ?? '').join('\n');
}

/** The one in quotation marks, or the only one there is. */
function counted(text: string, choices: readonly string[]): string | undefined {
  const quoted = [...text.matchAll(/"([^"]+)"/g)].map(([, word = '']) => word);
  const named = choices.find((choice) => quoted.includes(choice));
  return named ?? (new Set(choices).size === 1 ? choices[0] : undefined);
}

/** "retry after 2026-11-21 10:32:05 UTC". */
function instantIn(text: string): Instant | undefined {
  const [, date, time] = /retry after (\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?: UTC|Z)/.exec(text) ?? [];
  const at = Date.parse(`${date}T${time}Z`);
  return Number.isNaN(at) ? undefined : at;
}
