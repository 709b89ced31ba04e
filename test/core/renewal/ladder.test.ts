import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AgentError } from '../../../src/core/errors.ts';
import { editRenewal } from '../../../src/core/records.ts';
import { refreshDue } from '../../../src/core/renewal/due-index.ts';
import { failing } from '../gate.ts';
import { day, hour, minute, t0 } from '../given.ts';
import { startWorlds, type World, type Worlds, www } from '../world.ts';

let worlds: Worlds;
let world: World;

beforeAll(async () => {
  worlds = await startWorlds();
});
afterAll(() => worlds.stop());
beforeEach(async () => {
  world = await worlds.open();
});

const wrongAnswer = () => ({ type: 'unauthorized', detail: 'somebody else answered' });

/** When orders were made, since the start. */
function ordered(): readonly number[] {
  return world.first.orders.map(({ createdAt }) => createdAt - t0);
}

/** Time between them, without what the orders themselves took. */
function pauses(): readonly number[] {
  return ordered()
    .slice(1)
    .map((at, index) => Math.round((at - (ordered()[index] ?? 0)) / minute));
}

describe('the ladder', () => {
  it('is 1, 10 and 100 minutes, then once a day while nothing valid is held', async () => {
    await world.want({ issuers: ['first'] });
    world.first.ways.verdict = wrongAnswer;
    await world.live(4 * day);
    expect(pauses()).toEqual([1, 10, 100, 24 * 60, 24 * 60, 24 * 60]);
  });

  it('goes by an eighth of the remaining validity at a renewal, and ever faster', async () => {
    await world.want({ issuers: ['first'] });
    await world.renew();
    world.first.ways.verdict = wrongAnswer;
    await world.live(89 * day);
    const steps = pauses().slice(1);
    expect(steps.slice(0, 3)).toEqual([1, 10, 100]);
    const later = steps.slice(3);
    expect(later.length).toBeGreaterThan(25);
    expect(Math.max(...later)).toBe(24 * 60);
    expect(later.at(-1)).toBeLessThan(24 * 60);
    expect(later.toSorted((a, b) => b - a)).toEqual(later);
  });

  it('is one try a day for what only a person can mend', async () => {
    await world.want({ issuers: ['first'] });
    world.first.ways.verdict = () => ({ type: 'caa', detail: 'CAA forbids' });
    await world.live(3 * day + hour);
    expect(pauses()).toEqual([24 * 60, 24 * 60, 24 * 60]);
  });

  it('waits as long as the CA asks, but not longer than seven days', async () => {
    await world.want({ issuers: ['first'] });
    const limited = (retryAt: number) => failing(new AgentError('acme.rateLimited', 'too many', { retryAt }));
    world.gate.once('first.newOrder', limited(t0 + 3 * hour));
    world.gate.once('first.newOrder', limited(t0 + 300 * day));
    await world.live(2 * hour);
    expect((await world.store.renewals.get(www)).retryAt).toBe(t0 + 3 * hour);
    await world.live(2 * hour);
    expect((await world.store.renewals.get(www)).retryAt).toBe(t0 + 3 * hour + 7 * day);
    await world.live(8 * day);
    expect(ordered()).toHaveLength(1);
    expect(ordered()[0]).toBe(3 * hour + 7 * day);
  });

  it('holds for a job that comes too early, too: it orders nothing', async () => {
    await world.want({ issuers: ['first'] });
    world.first.ways.verdict = wrongAnswer;
    await world.live(5 * minute);
    expect(ordered()).toHaveLength(2);
    const { retryAt } = await world.store.renewals.get(www);
    for (let times = 0; times < 3; times++) expect(await world.renew()).toBeUndefined();
    expect(ordered()).toHaveLength(2);
    expect(await world.store.due.at('issue', www)).toBe(retryAt);
  });

  it('is cleared by an edit of the domain, but not by one that changes nothing', async () => {
    await world.want({ issuers: ['first'] });
    world.first.ways.verdict = wrongAnswer;
    await world.live(15 * minute);
    await world.want({ issuers: ['first'] });
    await world.renew();
    expect(ordered()).toHaveLength(3);
    world.first.ways.verdict = () => undefined;
    await world.want({ issuers: ['first', 'second'] });
    await world.work();
    expect(await world.store.certificates.certificate(www)).toMatchObject({ generation: 1 });
    expect(await world.store.renewals.get(www)).toMatchObject({ failures: 0, reminders: { count: 0 } });
  });

  it('begins anew after an edit of the domain: what was half mended is not left for a day', async () => {
    await world.want({ issuers: ['first'] });
    world.first.ways.verdict = wrongAnswer;
    await world.live(4 * day);
    const before = ordered().length;
    await world.want({ issuers: ['first', 'second'] });
    await world.live(3 * hour);
    expect(pauses().slice(before)).toEqual([1, 10, 100]);
    expect(await world.store.renewals.get(www)).toMatchObject({
      failures: 4,
      failingSince: expect.closeTo(t0, -4),
    });
  });

  it('does not begin anew where the issuer has paused the name, and it counts as failing all the same', async () => {
    await world.want({ issuers: ['first'] });
    world.gate.always('first.newOrder', failing(new AgentError('acme.paused', 'paused; see the portal')));
    await world.live(hour);
    await world.want({ issuers: ['first'], profile: { name: 'short', required: false } });
    await world.live(hour);
    expect((await world.store.renewals.get(www)).failures).toBe(1);
  });

  it('counts a failure to present as any other, and leaves nothing in the zone', async () => {
    await world.want({ issuers: ['first'], challenge: 'dns-01', dnsAccount: 'zone' });
    world.gate.once('dns-01.present', failing(new AgentError('provider.unavailable', 'the vendor is away')));
    await world.live(2 * minute);
    expect(await world.store.certificates.certificate(www)).toMatchObject({ generation: 1 });
    expect(pauses()).toEqual([1]);
    expect(world.zone.records.size).toBe(0);
  });
});

describe('a clock that jumps', () => {
  it('back by an hour orders nothing and loses nothing', async () => {
    await world.want();
    await world.live(minute);
    world.clock.jump(-hour);
    await world.live(70 * day);
    expect(world.first.orders).toHaveLength(2);
    expect(await world.store.certificates.certificate(www)).toMatchObject({ generation: 2 });
  });

  it('back by an hour between failures delays the next attempt by no more than that', async () => {
    await world.want({ issuers: ['first'] });
    world.first.ways.verdict = wrongAnswer;
    await world.live(5 * minute);
    world.clock.jump(-hour);
    world.first.ways.verdict = () => undefined;
    await world.live(hour + 15 * minute);
    expect(await world.store.certificates.certificate(www)).toBeDefined();
  });

  it.each([
    ['challenge.dns', true],
    ['acme.rateLimited', false],
  ])('leaves a next attempt three days off after %s: due now is %s', async (code, isDue) => {
    await world.want({ issuers: ['first'] });
    const failure = { at: t0, code, message: 'no', issuer: 'first' };
    const retryAt = t0 + 3 * day;
    await editRenewal(www, world.store, (state) => ({
      putRenewals: [{ ...state, failures: 4, failingSince: t0, lastFailure: failure, retryAt }],
    }));
    await world.run(refreshDue(world.needs));
    await world.live(minute);
    expect(world.first.orders).toHaveLength(isDue ? 1 : 0);
  });

  it('ten years ahead and back again renews and reminds as if nothing had been', async () => {
    await world.want();
    await world.live(minute);
    const years = 3650 * day;
    world.clock.jump(years);
    await world.live(3 * day);
    world.clock.jump(-years);
    // The tick asks for this when it sees that the clock was set back.
    await world.run(refreshDue(world.needs));
    await world.live(100 * day);
    const certificate = await world.store.certificates.certificate(www);
    expect(certificate?.notAfter).toBeGreaterThan(world.clock.now());
    expect((await world.store.renewals.get(www)).failures).toBe(0);
    expect(world.web.shows(www)?.certificate.fingerprint).toBe(certificate?.fingerprint);
  });

  it('ten years ahead and back again while nothing is held goes on with the ladder', async () => {
    await world.want({ issuers: ['first'] });
    world.first.ways.verdict = wrongAnswer;
    await world.live(3 * hour);
    const years = 3650 * day;
    world.clock.jump(years);
    await world.want({ issuers: ['first'] });
    await world.run(refreshDue(world.needs));
    await world.live(day);
    world.clock.jump(-years);
    world.first.ways.verdict = () => undefined;
    await world.run(refreshDue(world.needs));
    await world.live(2 * minute);
    expect(await world.store.certificates.certificate(www)).toBeDefined();
  });
});
