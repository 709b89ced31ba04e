import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AgentError, isAgentError } from '../../../src/core/errors.ts';
import { editHeld } from '../../../src/core/held-lineages.ts';
import { decide } from '../../../src/core/renewal/decide.ts';
import { nextIssue } from '../../../src/core/renewal/next-action.ts';
import type { Domain, Failure, Group, RenewalState } from '../../../src/core/types.ts';
import { changeWishes } from '../../../src/core/wishes/reconcile.ts';
import { retry } from '../../../src/operations/retry.ts';
import { revoke } from '../../../src/operations/revoke.ts';
import { moreRuns } from '../../support/more-runs.ts';
import { failing } from '../gate.ts';
import { aCertificate, aDomain, aLineage, day, hour, minute, t0, wanted } from '../given.ts';
import { runIn } from '../run-command.ts';
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
  ariPutOff: maybe(count),
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

/** What is wished for, whether or not it stands in the store just now. */
interface Wished {
  names: readonly string[];
  domain: Domain;
}

interface Story {
  readonly world: CheapWorld;
  readonly wished: Wished;
}

/** What can befall a lineage. Each step takes effect, and then time passes. */
const steps: Readonly<Record<string, (story: Story, which: number) => unknown>> = {
  'an issuer is down': ({ world }, which) =>
    world.gate.always(
      `${which % 2 ? 'first' : 'second'}.${which % 3 ? 'newOrder' : 'finalize'}`,
      failing(new AgentError(which % 5 ? 'acme.server' : 'acme.network', 'down')),
    ),
  'an issuer forbids it': ({ world }, which) =>
    world.gate.always(
      'first.newOrder',
      failing(new AgentError(which % 2 ? 'acme.account' : 'acme.paused', 'no', { facts: { problem: {} } })),
    ),
  'an issuer has limits': ({ world }, which) => {
    const name = which % 2 ? 'first' : 'second';
    const limits = {
      ordersPerAccount: { count: 3, perMs: 3 * hour },
      certificatesPerNames: { count: 1 + (which % 3), perMs: 2 * day },
      failuresPerName: { count: 2, perMs: hour },
    };
    const others = world.limited.filter((one) => one.name !== name);
    world.limited.splice(0, 2, ...others, { name, directoryUrl: `https://${name}.test`, limits });
  },
  'a name is refused': ({ world }, which) => {
    world.first.ways.verdict = world.second.ways.verdict = (name) =>
      name === names[which % 3] ? { type: which % 2 ? 'unauthorized' : 'caa', detail: 'no' } : undefined;
  },
  'all is mended': mend,
  'another profile is wished': (story, which) => {
    const profile = { name: ['classic', 'short'][which % 2] ?? '', required: false };
    return wish(story, { profile: which % 3 === 0 ? undefined : profile });
  },
  'the issuers are turned around': (story, which) =>
    wish(story, { issuers: which % 2 ? ['second', 'first'] : ['first', 'second'] }),
  'other names are wished': (story, which) => {
    story.wished.names = names.filter((_, index) => (which % 7 === 0 ? true : (which % 7) & (1 << index)));
    return wish(story, {});
  },
  'another key type is wished': (story, which) => wish(story, { keyTypes: [which % 2 ? 'p384' : 'p256'] }),
  'nobody wants it any more': ({ world }) =>
    world.run(
      changeWishes('example.com', ({ domain }) => ({ domain, removeGroups: [aGroup(names)] }), world.needs),
    ),
  'it is wanted again': (story) => wish(story, {}),
  'another profile is offered': ({ world }, which) => {
    world.first.ways.profiles = which % 2 ? ['classic'] : ['short'];
  },
  'somebody asks for it': ({ world }, which) => world.ask(which % 2 === 0, undefined, group),
  'somebody has it tried again': ({ world }) => asFarAsItGoes(runIn(world, retry, { target: group })),
  'it is revoked': ({ world }, which) => {
    const reason = which % 3 ? ('superseded' as const) : ('keyCompromise' as const);
    return asFarAsItGoes(runIn(world, revoke, { target: group, reason, now: which % 2 === 0 }));
  },
  'the CA revoked it': async ({ world }) => {
    if ((await world.store.certificates.certificate(group)) === undefined) return;
    await world.run(
      editHeld(group, world.needs, ({ state }) => {
        const now = world.clock.now();
        const due = [{ job: 'issue' as const, id: group, at: now }];
        return { putRenewals: [{ ...state, revokedAt: now }], due };
      }),
    );
  },
  'the window moves': ({ world }, which) => {
    const start = world.clock.now() + (which - 15) * 6 * hour;
    const advice = { start, end: start + (1 + (which % 4)) * 8 * hour, retryAfterMs: hour };
    world.first.ways.advice = () => advice;
    world.second.ways.advice = () => (which % 3 ? advice : undefined);
  },
  'the clock is set back': ({ world }) => world.clock.jump(-hour),
};

function mend({ world }: Story): void {
  for (const name of ['first', 'second'])
    for (const call of ['newOrder', 'finalize']) world.gate.always(`${name}.${call}`, undefined);
  world.first.ways.verdict = world.second.ways.verdict = () => undefined;
  world.first.ways.advice = world.second.ways.advice = () => undefined;
  world.clock.jump(world.clock.trueNow() - world.clock.now());
}

/** Commands that make no sense at present are refused, which is their whole effect. */
async function asFarAsItGoes(command: Promise<unknown>): Promise<void> {
  await command.catch((error: unknown) => {
    if (!isAgentError(error, 'command.conflict') && !isAgentError(error, 'command.notFound')) throw error;
  });
}

function aGroup(of: readonly string[]): Group {
  return { domain: 'example.com', label: 'shop', names: of, origin: { kind: 'runtime' } };
}

async function wish({ world, wished }: Story, change: Partial<Domain>): Promise<void> {
  wished.domain = { ...wished.domain, ...change };
  const edit = { domain: wished.domain, putGroups: [aGroup(wished.names)] };
  await world.run(changeWishes('example.com', () => edit, world.needs));
}

describe.each([
  ['in memory', moreRuns(60), async () => openCheapWorld()],
  ['on a real store', 1, () => worlds.open()],
] as const)('after any history of what can befall a certificate, %s', (_, numRuns, open) => {
  it('a world that is mended ends with what is wished for on one certificate, and then orders nothing', async () => {
    const history = fc.array(
      fc.record({
        what: fc.constantFrom(...Object.keys(steps)),
        which: fc.nat(29),
        ms: fc.oneof(fc.integer({ min: minute, max: hour }), fc.integer({ min: minute, max: day })),
      }),
      { minLength: 3, maxLength: 30, size: 'max' },
    );
    await fc.assert(
      fc.asyncProperty(history, async (events) => {
        const world = await open();
        const domain = aDomain({ mode: 'custom', partial: true, deploy: ['web'], notify: ['mail'] });
        const story: Story = { world, wished: { names, domain } };
        await wish(story, {});
        for (const { what, which, ms } of events) {
          await steps[what]?.(story, which);
          await world.live(ms);
        }
        mend(story);
        await wish(story, {});
        // The longest that anything waits for is a name that is paused.
        await world.live(9 * day);
        const certificate = await world.store.certificates.certificate(group);
        expect(certificate?.names).toEqual(expect.arrayContaining([...story.wished.names]));
        expect(certificate?.keyType).toBe(story.wished.domain.keyTypes[0]);
        const state = await world.store.renewals.get(group);
        expect(state).toMatchObject({ failures: 0 });
        expect([state.revoking, state.revokedAt, state.requested]).toEqual([undefined, undefined, undefined]);
        const revoked = [...world.first.revocations, ...world.second.revocations];
        expect(revoked.map(({ serial }) => serial)).not.toContain(certificate?.serial);
        const ordered = world.first.orders.length + world.second.orders.length;
        await world.live(10 * day);
        expect(world.first.orders.length + world.second.orders.length).toBe(ordered);
        expect(await world.store.issuances.all()).toEqual([]);
      }),
      { numRuns, endOnFailure: true },
    );
  }, 240_000);
});
