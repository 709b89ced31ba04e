import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { AcmeAuthorization, NotReady } from '../../../src/core/ports.ts';
import { editRenewal } from '../../../src/core/records.ts';
import { day, hour, minute, t0 } from '../given.ts';
import { startWorlds, type World, type Worlds } from '../world.ts';

let worlds: Worlds;
let world: World;
/** Ids of the challenges that the person has added. */
let added: Set<string>;

const wildcard = 'example.com/*.example.com/ec';
const week = 7 * day;

beforeAll(async () => {
  worlds = await startWorlds();
});
afterAll(() => worlds.stop());
beforeEach(async () => {
  world = await worlds.open();
  added = new Set();
  world.gate.always('dns-01.ready', async (_, [id]): Promise<true | NotReady> => {
    if (added.has(String(id))) return true;
    const until = (world.first.orders.at(-1)?.createdAt ?? t0) + week - 10 * minute;
    if (world.clock.now() >= until) throw new Error('nobody added it');
    const byHand = { name: '_acme-challenge.example.com', value: String(id), until };
    return { checkAgainAt: world.clock.now() + 10 * minute, byHand };
  });
});

/** Apex and wildcard of a domain whose records a person adds. */
function want(): Promise<void> {
  return world.want({ mode: 'wildcard', challenge: 'dns-01', dnsAccount: 'person', issuers: ['first'] }, []);
}

function values(): readonly string[] {
  return [...world.zone.records.keys()];
}

describe('an order whose records a person adds', () => {
  it('waits for days without a job in its slot, and goes on by itself once they are there', async () => {
    await want();
    await world.live(3 * day);
    expect(world.first.orders).toHaveLength(1);
    expect(await world.store.due.at('issue', wildcard)).toBeGreaterThan(world.clock.now());
    expect(await world.store.renewals.get(wildcard)).toMatchObject({ failures: 0 });

    for (const id of values()) added.add(id);
    await world.live(20 * minute);
    expect(world.first.finalized()).toHaveLength(1);
    expect(await world.events('certificate.issued', wildcard)).toHaveLength(1);
    expect(await world.events('certificate.failed')).toHaveLength(0);
  });

  it('is told at once with all its records, once a day as long as they are missing, and when they may go', async () => {
    await want();
    await world.live(minute);
    const [first] = await world.events('record.wanted', wildcard);
    expect(first?.facts).toMatchObject({
      names: ['example.com', '*.example.com'],
      issuer: 'first',
      message: 'first wants to see 2 TXT records that a person has to add.',
      records: values().map((value) => `_acme-challenge.example.com. 300 IN TXT "${value}"`),
      until: t0 + week - 10 * minute,
    });
    await world.live(day + hour);
    const again = await world.events('record.wanted', wildcard);
    expect(again).toHaveLength(2);
    expect(again[1]?.facts.message).toContain('this is message number 2');

    for (const id of values()) added.add(id);
    await world.live(hour);
    expect(await world.events('record.wanted', wildcard)).toHaveLength(2);
    expect(await world.events('record.idle', wildcard)).toHaveLength(1);
    const told = world.hook.messages.flatMap(({ notices }) => notices);
    expect(told.map(({ kind }) => kind).filter((kind) => kind.startsWith('record'))).toEqual([
      ...['record-wanted', 'record-wanted', 'record-idle'],
    ]);
    expect(told.find(({ kind }) => kind === 'record-wanted')?.records).toHaveLength(2);
  });

  it('answers for the names whose record is there, and is not told anew of the rest', async () => {
    await want();
    await world.live(minute);
    const [one = ''] = values();
    added.add(one);
    await world.live(hour);
    const [order] = world.first.orders;
    expect(order?.authorizations.map(({ status }) => status).toSorted()).toEqual(['pending', 'valid']);
    expect((await world.store.issuances.get(wildcard))?.byHand?.records).toHaveLength(1);
    expect(await world.events('record.wanted', wildcard)).toHaveLength(1);
  });

  it('is looked at once more at once when somebody asks for that', async () => {
    await want();
    await world.live(day);
    for (const id of values()) added.add(id);
    await world.ask(false, 'task-1', wildcard);
    await world.renew(wildcard);
    expect(world.first.finalized()).toHaveLength(1);
  });

  it('that nobody looks after fails when the CA waits no longer; the next one wants other records', async () => {
    await want();
    await world.live(minute);
    const before = values();
    await world.live(week);
    expect(await world.events('certificate.failed', wildcard)).toHaveLength(1);
    expect(world.first.orders).toHaveLength(2);
    expect(values()).not.toContain(before[0]);
    const wanted = await world.events('record.wanted', wildcard);
    expect(wanted.at(-1)?.facts.message).toBe('first wants to see 2 TXT records that a person has to add.');
    expect(await world.events('record.idle', wildcard)).toHaveLength(1);
  });

  it('is silent for as long as a person has said so, but for what is new', async () => {
    await want();
    await world.live(minute);
    await editRenewal(wildcard, world.store, (state) => ({
      putRenewals: [{ ...state, reminders: { ...state.reminders, silencedUntil: t0 + 3 * day } }],
    }));
    await world.live(2 * day);
    expect(await world.events('record.wanted', wildcard)).toHaveLength(1);
    await world.live(2 * day);
    expect((await world.events('record.wanted', wildcard)).length).toBeGreaterThan(1);
  });

  it('is waited for also while the CA takes its time with the verdict', async () => {
    await want();
    await world.live(5 * day);
    world.first.ways.validationMs = 4 * minute;
    world.gate.always('first.authorization', async (proceed) => ({
      ...((await proceed()) as AcmeAuthorization),
      expires: t0 + week,
    }));
    for (const id of values()) added.add(id);
    await world.live(hour);
    expect(await world.events('certificate.failed')).toHaveLength(0);
    expect(world.first.finalized()).toHaveLength(1);
  });
});

describe('a profile whose authorizations live for an hour', () => {
  const directoryUrl = 'https://acme-v02.api.letsencrypt.org/directory';

  it('is not ordered where a person adds the records, if it is required', async () => {
    world.settings.issuerFacts = { first: { directoryUrl, mark: 'm' } };
    world.first.ways.profiles = ['classic', 'shortlived'];
    const profile = { name: 'shortlived', required: true };
    await expect(
      world.want({ mode: 'wildcard', challenge: 'dns-01', dnsAccount: 'person', profile }, []),
    ).resolves.toBeUndefined();
    await world.renew(wildcard);
    expect(world.first.orders).toHaveLength(0);
    const [failed] = await world.events('certificate.failed', wildcard);
    expect(failed?.facts).toMatchObject({
      code: 'order.profile',
      message: expect.stringContaining('waits only 1 h for a TXT record, too short for a person to add it'),
    });
  });

  it('yields to the usual one if it is only preferred', async () => {
    world.settings.issuerFacts = { first: { directoryUrl, mark: 'm' } };
    world.first.ways.profiles = ['classic', 'shortlived'];
    const profile = { name: 'shortlived', required: false };
    await world.want({ mode: 'wildcard', challenge: 'dns-01', dnsAccount: 'person', profile }, []);
    await world.live(minute);
    expect(world.first.orders.map(({ asked }) => asked.profile)).toEqual([undefined]);
  });
});
