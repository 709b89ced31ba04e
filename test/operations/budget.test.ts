import { beforeEach, describe, expect, test } from 'vitest';
import { createBudget } from '../../src/acme/budget.ts';
import { limitsOf } from '../../src/acme/limits.ts';
import { renderBudget } from '../../src/cli/budget.ts';
import { presets } from '../../src/config/presets.ts';
import { AgentError } from '../../src/core/errors.ts';
import type { Budget } from '../../src/core/ports.ts';
import { budget as operation } from '../../src/operations/budget.ts';
import type { OperationNeeds } from '../../src/operations/define.ts';
import { domainsAdd } from '../../src/operations/domains.ts';
import { renewAll } from '../../src/operations/renew-all.ts';
import { bench, day, start, useBench } from './fixture.ts';

const a = 'example.com/a.example.com/ec';
const hour = 3_600_000;

let ledger: Budget;
let needs: OperationNeeds;

useBench();
beforeEach(async () => {
  const { buckets, clock, log } = bench.needs as OperationNeeds & Parameters<typeof createBudget>[1];
  const { directoryUrl } = presets.letsencrypt;
  const limits = limitsOf(directoryUrl, undefined);
  ledger = createBudget([{ name: 'letsencrypt', directoryUrl, limits }], { buckets, clock, log });
  needs = { ...bench.needs, budget: ledger };
  await bench.run(domainsAdd, { name: 'example.com', hosts: ['a.example.com', 'b.example.com'] });
});

const show = (input: { names?: string[]; issuer?: string } = {}) => operation.run(input, needs, {});
const order = (name: string) =>
  ledger.admit({ issuer: 'letsencrypt', names: [name], isAdvised: false, urgent: false });

describe('budget', () => {
  test('shows each issuer with its orders, and of the rest what something was taken from', async () => {
    await order('a.example.com');
    const { issuers, orders } = await show();
    expect(issuers).toEqual([
      {
        issuer: 'letsencrypt',
        limits: [
          expect.objectContaining({ name: 'ordersPerAccount', left: 299, count: 300, perMs: 3 * hour }),
          expect.objectContaining({ name: 'certificatesPerDomain', about: 'example.com', left: 49 }),
          expect.objectContaining({ name: 'certificatesPerNames', about: 'a.example.com', left: 4 }),
        ],
      },
      { issuer: 'zerossl', limits: [] },
    ]);
    expect(orders).toEqual([]);
  });

  test('tells of names when their next order may go, and what is in its way', async () => {
    for (let times = 0; times < 5; times++) await order('a.example.com');
    const { issuers, orders } = await show({ names: ['a.example.com'], issuer: 'letsencrypt' });
    expect(orders).toEqual([
      {
        lineage: a,
        names: ['a.example.com'],
        issuer: 'letsencrypt',
        readyAt: start + 2 * hour + (7 * day) / 5,
        limit: 'certificates for exactly these names (5 in 7 days)',
      },
    ]);
    expect(issuers.map(({ issuer }) => issuer)).toEqual(['letsencrypt']);
    expect(issuers[0]?.limits.map(({ name }) => name)).toHaveLength(4);
  });

  test('knows which orders the CA exempts', async () => {
    for (let times = 0; times < 50; times++) await order(`h${times}.example.com`);
    expect((await show({ names: ['a.example.com'] })).orders[0]?.limit).toContain('example.com (50');
    await bench.hold(a, start + 30 * day, { issuedAt: start - 60 * day });
    expect((await show({ names: ['a.example.com'] })).orders[0]).toMatchObject({ readyAt: start });
  });

  test('answers for a name that nobody added yet, and shows by itself the orders that wait', async () => {
    const { orders } = await show({ names: ['new.example.net'] });
    expect(orders).toEqual([
      { names: ['new.example.net'], issuer: 'letsencrypt', readyAt: start },
      { names: ['new.example.net'], issuer: 'zerossl', readyAt: start },
    ]);
    await bench.remember(a, { waiting: { issuer: 'letsencrypt', limit: 'orders', count: 1, full: {} } });
    expect((await show()).orders.map(({ lineage }) => lineage)).toEqual([a]);
  });

  test('shows what a CA asked to be left alone with', async () => {
    const facts = { status: 429 };
    const busy = new AgentError('acme.rateLimited', 'busy', { retryAt: start + 3 * hour, facts });
    await ledger.learn({ issuer: 'letsencrypt', names: ['a.example.com'], isUnderWay: false }, busy);
    const answer = await show({ names: ['a.example.com'], issuer: 'letsencrypt' });
    expect(answer.orders[0]?.limit).toBe('it asked us to wait with new orders');
    const lines = renderBudget(answer).split('\n');
    expect(lines.map((line) => line.replace(/ {2,}/g, ' | ').trim())).toContain(
      'letsencrypt | new orders | none: it asked us to wait | in 3 hours',
    );
    expect((await show()).issuers[0]?.limits.map(({ name }) => name)).toEqual(['ordersPerAccount', 'orders']);
  });

  test('refuses an issuer that is not configured, and what is neither name nor id', async () => {
    await expect(show({ issuer: 'letsencript' })).rejects.toMatchObject({ code: 'command.notFound' });
    await expect(show({ names: ['cert-0000'] })).rejects.toMatchObject({ code: 'command.notFound' });
  });

  test('reads well on a terminal', async () => {
    for (let times = 0; times < 5; times++) await order('a.example.com');
    const lines = renderBudget(await show({ names: ['a.example.com'] })).split('\n');
    expect(lines.map((line) => line.replace(/ {2,}/g, ' | ').trim())).toEqual([
      'ISSUER | LIMIT | LEFT | NEXT',
      'letsencrypt | orders of the account | 295 of 300 in 3 hours | now',
      'letsencrypt | certificates for example.com | 45 of 50 in 7 days | now',
      'letsencrypt | certificates for exactly a.example.com | 0 of 5 in 7 days | in 35 hours',
      'letsencrypt | failed validations of a.example.com | 5 of 5 in 1 hour | now',
      'zerossl | no limits are known | - | now',
      '',
      'ORDER | ISSUER | NEXT | IN ITS WAY',
      `${a} | letsencrypt | in 35 hours | certificates for exactly these names (5 in 7 days)`,
      '',
    ]);
  });
});

test('a dry run of renew-all tells when each order may go by the limits', async () => {
  for (let times = 0; times < 5; times++) await order('a.example.com');
  const { plan } = await renewAll.run({ dryRun: true }, needs, {});
  expect(plan?.map(({ names, readyAt, limit }) => ({ names, readyAt, limit }))).toEqual([
    {
      names: ['a.example.com'],
      readyAt: start + 2 * hour + (7 * day) / 5,
      limit: 'certificates for exactly these names (5 in 7 days)',
    },
    { names: ['b.example.com'], readyAt: start, limit: undefined },
  ]);
});
