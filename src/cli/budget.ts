import type { LimitLevel } from '../core/ports.ts';
import { limitSubject, periodText } from '../core/renewal/limit-words.ts';
import type { Instant } from '../core/types.ts';
import type { BudgetAnswer } from '../operations/budget.ts';
import { listed, relative } from '../operations/words.ts';
import { table } from './print.ts';

/** What is left of each limit, then when the orders asked about, or those that wait, may go. */
export function renderBudget({ asOf, issuers, orders }: BudgetAnswer): string {
  const rows = issuers.flatMap(({ issuer, limits }) =>
    limits.length === 0
      ? [[issuer, 'no limits are known', '-', 'now']]
      : limits.map((level) => [issuer, subject(level), leftOf(level), at(level.readyAt, asOf)]),
  );
  const next = orders.map(({ lineage, names, issuer, readyAt, limit }) => [
    lineage ?? listed(names),
    issuer,
    at(readyAt, asOf),
    limit ?? '-',
  ]);
  const limits = table(['ISSUER', 'LIMIT', 'LEFT', 'NEXT'], rows);
  return next.length === 0 ? limits : `${limits}\n${table(['ORDER', 'ISSUER', 'NEXT', 'IN ITS WAY'], next)}`;
}

function subject({ name, about }: LimitLevel): string {
  const names = listed(about?.split(',') ?? [], 2);
  if (name === 'certificatesPerNames') return `certificates for exactly ${names}`;
  return name === 'ordersForNames' ? `new orders for exactly ${names}` : limitSubject(name, about);
}

function leftOf({ left, count, perMs }: LimitLevel): string {
  if (count === undefined || perMs === undefined) return 'none: it asked us to wait';
  return `${left} of ${count} in ${periodText({ perMs })}`;
}

function at(readyAt: Instant, now: Instant): string {
  return readyAt <= now ? 'now' : relative(readyAt, now);
}
