import { expect } from 'vitest';
import type { Call, CallKind } from '../support/proxy.ts';
import { day } from './given.ts';
import type { WiredWorld } from './wired-world.ts';
import { www } from './world.ts';

export const always = Number.POSITIVE_INFINITY;

/** The calls of an order, and of the first one of an account. */
export const kinds = [
  'directory',
  'newNonce',
  'newAccount',
  'newOrder',
  'authz',
  'chall',
  'order',
  'finalize',
  'cert',
] as const;

export function problem(type: string): object {
  return { type: `urn:ietf:params:acme:error:${type}`, detail: `about ${type}` };
}

/** As HTTP writes it. */
export function date(at: number): string {
  return new Date(at).toUTCString();
}

/** Calls of a kind before an instant. */
export function until(at: number, kind?: CallKind): (call: Call) => boolean {
  return (call) => (kind === undefined || call.kind === kind) && call.at < at;
}

/** Nothing is open, nothing is left over, nobody is told that anything fails, and no job waited for long. */
export async function expectPeace(world: WiredWorld): Promise<void> {
  const { store, web, zone, clock, waits } = world;
  const certificate = await store.certificates.certificate(www);
  expect(certificate?.notAfter).toBeGreaterThan(clock.trueNow() + day);
  expect(web.shows(www)?.certificate.fingerprint).toBe(certificate?.fingerprint);
  const state = await store.renewals.get(www);
  expect(state).toMatchObject({ failures: 0, reminders: { count: 0 } });
  expect(state.failingSince).toBeUndefined();
  expect(await store.due.at('remind', www)).toBeUndefined();
  expect(await store.due.at('issue', www)).toBeGreaterThan(clock.now());
  expect(await store.issuances.all()).toEqual([]);
  expect(await world.tokensLeft()).toBe(0);
  expect(zone.records.size).toBe(0);
  expect(Math.max(0, ...waits)).toBeLessThanOrEqual(10_000);
}

/** When newOrder was called, in minutes since `from`; tries within one job count once. */
export function attempts(calls: readonly Call[], from: number): readonly number[] {
  const at = calls
    .filter(({ kind }) => kind === 'newOrder')
    .map((call) => Math.floor((call.at - from) / 60_000));
  return [...new Set(at)];
}
