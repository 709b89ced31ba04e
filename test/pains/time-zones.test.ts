import { afterEach, describe, expect, it, vi } from 'vitest';
import { day, minute } from '../core/given.ts';
import { openCheapWorld, www } from '../core/world.ts';

const zones = ['UTC', 'Pacific/Kiritimati', 'America/St_Johns', 'Europe/Berlin', 'Australia/Lord_Howe'];

afterEach(() => {
  vi.unstubAllEnvs();
});

/** Orders and instants of half a year, in which clocks of most zones are changed twice. */
async function halfYear(zone: string): Promise<{ readonly offset: number; readonly same: object }> {
  vi.stubEnv('TZ', zone);
  const offset = new Date(Date.UTC(2027, 5, 1)).getTimezoneOffset();
  const world = openCheapWorld();
  await world.want({ issuers: ['first'] });
  await world.live(180 * day);
  const { notBefore, notAfter } = (await world.store.certificates.certificate(www)) ?? {};
  const { renewAt, ariCheckAt } = await world.store.renewals.get(www);
  const orders = world.first.orders.map(({ createdAt }) => Math.floor(createdAt / minute));
  return { offset, same: { notBefore, notAfter, renewAt, ariCheckAt, orders } };
}

describe('a machine in another time zone', () => {
  it('reads the dates of certificates alike and renews at the same instants', async () => {
    const found: Awaited<ReturnType<typeof halfYear>>[] = [];
    for (const zone of zones) found.push(await halfYear(zone));
    const [first, ...others] = found.map(({ same }) => same);
    for (const other of others) expect(other).toEqual(first);
    // The zones did take effect.
    expect(new Set(found.map(({ offset }) => offset)).size).toBe(zones.length);
  });
});
