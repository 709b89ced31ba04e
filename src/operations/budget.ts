import { z } from 'zod';
import { AgentError, isAgentError } from '../core/errors.ts';
import { heldOf } from '../core/held-lineages.ts';
import { parseName, refusal } from '../core/names.ts';
import type { LimitLevel, Outlook } from '../core/ports.ts';
import type { Instant, Lineage } from '../core/types.ts';
import { defineOperation, type OperationNeeds } from './define.ts';
import { certificateName, configuredName } from './fields.ts';
import { intentOf, type Wish, wishOf } from './intent.ts';
import { findLineages } from './lineages.ts';
import { listed } from './words.ts';

/** The limits of one CA, as far as something was taken from them or was asked for. */
export interface IssuerBudget {
  readonly issuer: string;
  /** Empty: this issuer has no limits that we know. */
  readonly limits: readonly LimitLevel[];
}

/** When an order could go. */
export interface NextOrder extends Outlook {
  readonly issuer: string;
  readonly names: readonly string[];
  /** Absent: none is kept for these names. */
  readonly lineage?: string | undefined;
}

export interface BudgetAnswer {
  readonly asOf: Instant;
  readonly issuers: readonly IssuerBudget[];
  /** Of the names asked about; without names, of the orders that wait. */
  readonly orders: readonly NextOrder[];
}

export const budget = defineOperation({
  name: 'budget',
  kind: 'read',
  method: 'GET',
  path: '/budget',
  scope: 'read',
  summary: 'Shows what is left of the rate limits of each CA, and when the next order may go.',
  input: z.strictObject({
    names: z
      .array(certificateName)
      .max(100)
      .optional()
      .describe('Host names or ids of certificates; by default all that has taken something')
      .meta({ positional: true }),
    issuer: configuredName.optional().describe('Only this issuer'),
  }),
  run: async ({ names = [], issuer }, needs): Promise<BudgetAnswer> => {
    const issuers = issuersOf(issuer, needs);
    const asked = await Promise.all(names.map((name) => wishesOf(name, issuers, needs)));
    const wishes = names.length > 0 ? asked.flat() : await allWishes(needs);
    const shown = await Promise.all(
      issuers.map(async (name) => ({ issuer: name, limits: await limitsAt(name, wishes, needs) })),
    );
    const isAsked = names.length > 0;
    const touched = ({ name, left, count }: LimitLevel) =>
      isAsked || name === 'ordersPerAccount' || count === undefined || left < count;
    const orders = isAsked ? wishes : wishes.filter(({ held }) => held?.state.waiting !== undefined);
    return {
      asOf: needs.clock.now(),
      issuers: shown.map(({ issuer: name, limits }) => ({ issuer: name, limits: limits.filter(touched) })),
      orders: await foreseen(orders, issuers, needs),
    };
  },
});

function issuersOf(only: string | undefined, { settings }: OperationNeeds): readonly string[] {
  const { issuers } = settings();
  if (only === undefined) return issuers;
  if (issuers.includes(only)) return [only];
  throw new AgentError('command.notFound', `there is no issuer "${only}"; issuers: ${listed(issuers)}`);
}

/** A name for which nothing is kept yet is an order that somebody thinks of. */
async function wishesOf(
  name: string,
  issuers: readonly string[],
  needs: OperationNeeds,
): Promise<readonly Wish[]> {
  try {
    return await heldWishes(await findLineages(name, needs), needs);
  } catch (error) {
    if (!isAgentError(error, 'command.notFound') || refusal(name) !== undefined) throw error;
    return [{ names: [parseName(name)], issuers }];
  }
}

async function allWishes(needs: OperationNeeds): Promise<readonly Wish[]> {
  const lineages = await needs.certificates.lineages();
  return heldWishes(
    lineages.filter(({ source, unwantedSince }) => source === 'acme' && unwantedSince === undefined),
    needs,
  );
}

async function heldWishes(lineages: readonly Lineage[], needs: OperationNeeds): Promise<readonly Wish[]> {
  return (await heldOf(lineages, needs)).map((held) => wishOf(held, needs.settings()));
}

async function limitsAt(
  issuer: string,
  wishes: readonly Wish[],
  { budget: ledger }: OperationNeeds,
): Promise<readonly LimitLevel[]> {
  const orders = wishes.filter(({ issuers }) => issuers.includes(issuer)).map(({ names }) => names);
  return ledger.levels(issuer, orders);
}

async function foreseen(
  wishes: readonly Wish[],
  issuers: readonly string[],
  { budget: ledger, clock }: OperationNeeds,
): Promise<readonly NextOrder[]> {
  const orders: NextOrder[] = [];
  for (const wish of wishes)
    for (const issuer of wish.issuers.filter((one) => issuers.includes(one))) {
      const [outlook = { readyAt: clock.now() }] = await ledger.foresee([
        intentOf(wish, issuer, clock.now()),
      ]);
      orders.push({ lineage: wish.held?.lineage.id, names: wish.names, issuer, ...outlook });
    }
  return orders;
}
