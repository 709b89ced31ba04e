import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AgentError } from '../../../src/core/errors.ts';
import { decide } from '../../../src/core/renewal/decide.ts';
import { nextIssue } from '../../../src/core/renewal/next-action.ts';
import type { Failure, RenewalState } from '../../../src/core/types.ts';
import { changeWishes } from '../../../src/core/wishes/reconcile.ts';
import { failing } from '../gate.ts';
import { aCertificate, aDomain, aLineage, day, hour, minute, t0, wanted } from '../given.ts';
import { type CheapWorld, openCheapWorld, startWorlds, type Worlds } from '../world.ts';

const past = fc.integer({ min: t0 - 400 * day, max: t0 });
const future = fc.integer({ min: t0 + 1, max: t0 + 60 * day });
const soon = fc.integer({ min: t0 + 1, max: t0 + 6 * day });
const count = fc.nat(100);
const issuer = fc.constantFrom('first', 'second', 'gone');
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
const failure: fc.Arbitrary<Failure> = fc.record({
  at: past,
  code: fc.constantFrom('acme.network', 'challenge.caa', 'acme.paused'),
  message: fc.string(),
  issuer,
});

/** Every field that there is, in any state that asks for nothing now: a new field must be thought of here. */
const quiet: { readonly [K in keyof Required<RenewalState>]: fc.Arbitrary<RenewalState[K]> } = {
  lineage: fc.constant(aLineage().id),
  version: count,
  renewAt: future,
  window: maybe(
    fc.record({ start: past, end: future, chosenAt: future, explanationUrl: maybe(fc.webUrl()) }),
  ),
  hurriedAt: maybe(past),
  ariCheckAt: maybe(fc.integer({ min: t0 + 1, max: t0 + day })),
  failures: count,
  failingSince: maybe(past),
  issuerFailures: fc.dictionary(issuer, count),
  blocked: maybe(fc.dictionary(issuer, fc.oneof(past, soon))),
  lastFailure: maybe(failure),
  warnings: maybe(fc.array(fc.record({ at: past, issuer, name: fc.domain(), message: fc.string() }))),
  retryAt: maybe(fc.oneof(past, future)),
  leftOut: maybe(
    fc.dictionary(fc.domain(), fc.record({ failures: count, since: past, retryAt: soon, failure })),
  ),
  waiting: maybe(fc.record({ issuer, limit: fc.string(), count, full: fc.dictionary(issuer, soon) })),
  paused: maybe(
    fc.dictionary(
      issuer,
      fc.record({
        names: fc.array(fc.domain()),
        since: past,
        retryAt: fc.oneof(past, soon),
        message: fc.string(),
      }),
    ),
  ),
  requested: fc.constant(undefined),
  revokedAt: fc.constant(undefined),
  revoked: maybe(fc.array(fc.constant('older'))),
  heldUntil: maybe(fc.oneof(past, future)),
  // Of older generations, of which none is being looked at.
  revoking: maybe(
    fc.array(
      fc.record({
        generation: fc.integer({ min: 2, max: 9 }),
        serial: fc.constant('0f'),
        fingerprint: fc.constant('older'),
        issuer,
        notAfter: future,
        leaf: fc.base64String(),
        reason: fc.constantFrom('superseded', 'keyCompromise', 'unspecified'),
        requestedAt: past,
        failures: count,
        nextAt: soon,
      }),
    ),
  ),
  compromised: maybe(fc.array(fc.string())),
  reminders: fc.record({ count, lastAt: maybe(past), openedAt: maybe(past), toldAt: maybe(past) }),
};

describe('a quiet state', () => {
  it('orders nothing, whatever is remembered in it, and is looked at again later', () => {
    fc.assert(
      fc.property(fc.record(quiet), issuer, (state, by) => {
        const given = {
          lineage: aLineage({ wanted: { ...wanted, issuers: ['first', 'second', 'gone'] } }),
          certificate: aCertificate({ issuer: by }),
          state,
          now: t0,
        };
        expect(decide(given)).toBeUndefined();
        // What is to be revoked is looked after at the same time as orders.
        if (state.revoking === undefined) expect(nextIssue(given)).toBeGreaterThan(t0);
      }),
      { numRuns: 500 },
    );
  });
});

let worlds: Worlds;

beforeAll(async () => {
  worlds = await startWorlds();
});
afterAll(() => worlds.stop());

const group = 'example.com/shop/ec';
const names = ['a.example.com', 'b.example.com', 'c.example.com'];

/** What can befall a lineage. Each step takes effect, and then time passes. */
const steps: Readonly<Record<string, (world: CheapWorld, which: number) => Promise<void> | void>> = {
  'an issuer is down': (world, which) =>
    world.gate.always(
      `${which % 2 ? 'first' : 'second'}.${which % 3 ? 'newOrder' : 'finalize'}`,
      failing(new AgentError(which % 5 ? 'acme.server' : 'acme.network', 'down')),
    ),
  'an issuer forbids it': (world, which) =>
    world.gate.always(
      'first.newOrder',
      failing(new AgentError(which % 2 ? 'acme.account' : 'acme.paused', 'no', { facts: { problem: {} } })),
    ),
  'a name is refused': (world, which) => {
    world.first.ways.verdict = world.second.ways.verdict = (name) =>
      name === names[which % 3] ? { type: which % 2 ? 'unauthorized' : 'caa', detail: 'no' } : undefined;
  },
  'all is mended': mend,
  'another profile is wished': (world, which) => {
    const profile = { name: ['classic', 'short'][which % 2] ?? '', required: false };
    return wish(world, { profile: which % 3 === 0 ? undefined : profile });
  },
  'the issuers are turned around': (world, which) =>
    wish(world, { issuers: which % 2 ? ['second', 'first'] : ['first', 'second'] }),
  'another profile is offered': (world, which) => {
    world.first.ways.profiles = which % 2 ? ['classic'] : ['short'];
  },
  'somebody asks for it': (world, which) => world.ask(which % 2 === 0, undefined, group),
  'the clock is set back': (world) => world.clock.jump(-hour),
};

function mend(world: CheapWorld): void {
  for (const name of ['first', 'second'])
    for (const call of ['newOrder', 'finalize']) world.gate.always(`${name}.${call}`, undefined);
  world.first.ways.verdict = world.second.ways.verdict = () => undefined;
}

async function wish(world: CheapWorld, change: Parameters<typeof aDomain>[0]): Promise<void> {
  const before = await world.store.wishes.domain('example.com');
  const base = before ?? aDomain({ mode: 'custom', partial: true, deploy: ['web'], notify: ['mail'] });
  const putGroups = [{ domain: 'example.com', label: 'shop', names, origin: { kind: 'runtime' as const } }];
  await world.run(
    changeWishes('example.com', () => ({ domain: { ...base, ...change }, putGroups }), world.needs),
  );
}

describe.each([
  ['in memory', 200, async () => openCheapWorld()],
  ['on a real store', 1, () => worlds.open()],
] as const)(
  'after any history of failover, profiles, left-out names, requests and clocks, %s',
  (_, numRuns, open) => {
    it('a world that is mended ends with all names on one certificate, and then orders nothing', async () => {
      const event = fc.record({
        what: fc.constantFrom(...Object.keys(steps)),
        which: fc.nat(29),
        ms: fc.integer({ min: minute, max: day }),
      });
      // With a clock that lags by more, what the CA issues is not valid yet.
      const history = fc
        .array(event, { minLength: 3, maxLength: 8 })
        .filter((events) => events.filter(({ what }) => what === 'the clock is set back').length <= 2);
      await fc.assert(
        fc.asyncProperty(history, async (events) => {
          const world = await open();
          await wish(world, {});
          for (const { what, which, ms } of events) {
            await steps[what]?.(world, which);
            await world.live(ms);
          }
          mend(world);
          // The longest that anything waits for is a name that is paused.
          await world.live(9 * day);
          const certificate = await world.store.certificates.certificate(group);
          expect(certificate?.names.toSorted()).toEqual(names);
          expect(await world.store.renewals.get(group)).toMatchObject({ failures: 0 });
          const ordered = world.first.orders.length + world.second.orders.length;
          await world.live(10 * day);
          expect(world.first.orders.length + world.second.orders.length).toBe(ordered);
          expect(await world.store.issuances.all()).toEqual([]);
        }),
        { numRuns, endOnFailure: true },
      );
    }, 120_000);
  },
);
