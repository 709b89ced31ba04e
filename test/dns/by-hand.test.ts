import { expect, test } from 'vitest';
import { manual } from '../../providers/manual.ts';
import { systemClock } from '../../src/clock.ts';
import type { TxtChange } from '../../src/core/provider.ts';
import { createPluginContext } from '../support/plugin-context.ts';
import { apex, createStage, errorOf, never, type Stage, until, wish } from './stage.ts';

const day = 86_400_000;

/** A zone that only a person writes to. */
async function createPerson() {
  const stage = await createStage();
  const provider = await manual.create({}, createPluginContext('person'));
  const asked: TxtChange[] = [];
  const apply: typeof provider.apply = (zone, changes, signal) => {
    asked.push(...changes);
    return provider.apply(zone, changes, signal);
  };
  const agent: Stage['agent'] = ({ account, ...more } = {}) =>
    stage.agent({ ...more, account: { provider: { ...provider, apply }, ...account } });
  return {
    ...stage,
    asked,
    agent,
    dns: agent(),
    wanted: (value: string) => wish('example.test', value, { usefulUntil: Date.now() + 6 * day }),
    /** What the person does at the zone's provider. */
    put: (...values: readonly string[]) => put(stage, values),
  };
}

function put({ zones }: Stage, values: readonly string[]): Promise<void> {
  return zones.write('example.test', [{ name: apex, type: 'TXT', ttl: 300, values }]);
}

test('the records of apex and wildcard are each named until the servers show them', async () => {
  const { dns, wanted, put, memory } = await createPerson();
  const [one = '', two = ''] = await dns.present([wanted('apex'), wanted('wildcard')], never);
  const now = Date.now();
  const waits = await dns.ready(one, never);
  expect(waits).toMatchObject({
    checkAgainAt: expect.any(Number),
    byHand: { name: apex, value: 'apex', until: expect.any(Number) },
  });
  if (waits === true) throw new Error('it is not there yet');
  // Longer than a job may wait in its slot.
  expect(waits.checkAgainAt - now).toBeGreaterThan(10_000);
  expect((waits.byHand?.until ?? 0) - now).toBeGreaterThan(5 * day);

  await put('apex');
  expect(await dns.ready(one, never)).toBe(true);
  expect(await dns.ready(two, never)).toMatchObject({ byHand: { value: 'wildcard' } });
  await put('apex', 'wildcard');
  expect(await dns.ready(two, never)).toBe(true);
  expect((await memory.journal.all()).map(({ shownAt }) => shownAt)).toEqual([
    expect.any(Number),
    expect.any(Number),
  ]);
});

test('looks get rarer, and never more so than ten minutes', async () => {
  const { agent, dns, wanted } = await createPerson();
  const [id = ''] = await dns.present([wanted('value')], never);
  await dns.ready(id, never);
  const pauseAt = async (ageMs: number) => {
    const now = () => Date.now() + ageMs;
    const ready = await agent({ clock: { ...systemClock, now } }).ready(id, never);
    return ready === true ? 0 : Math.round((ready.checkAgainAt - now()) / 1000);
  };
  expect(await pauseAt(3_600_000)).toBe(180);
  expect(await pauseAt(3 * day)).toBe(600);
});

test('an order that leaves a person less than a day is refused with what to do', async () => {
  const { dns } = await createPerson();
  const hasty = wish('example.test', 'value', { usefulUntil: Date.now() + 3_000_000 });
  expect(await errorOf(dns.present([hasty], never))).toMatchObject({
    code: 'order.profile',
    message: expect.stringContaining(
      'the CA waits only 50 minutes for the TXT record at _acme-challenge.example.test',
    ),
    advice: expect.stringContaining('Use a profile whose authorizations live for days'),
  });
});

test('nobody came: the order fails when the CA waits no longer', async () => {
  const { agent, dns, wanted } = await createPerson();
  const [id = ''] = await dns.present([wanted('value')], never);
  await dns.ready(id, never);
  const later = agent({ clock: { ...systemClock, now: () => Date.now() + 6 * day } });
  expect(await errorOf(later.ready(id, never))).toMatchObject({
    code: 'dns.propagation',
    message: expect.stringContaining(`nobody added the TXT record at ${apex} within 144 h`),
  });
});

test('time alone never counts as a person’s deed, though no nameserver can be reached', async () => {
  const { agent, memory, wanted } = await createPerson();
  const account = { nameservers: ['127.0.0.1:9'] };
  const dns = agent({ account });
  const [id = ''] = await dns.present([wanted('value')], never);
  await dns.ready(id, never);
  const now = () => Date.now() + 5 * day;
  const later = agent({ account, clock: { ...systemClock, now } });
  expect(await later.ready(id, never)).toMatchObject({ byHand: { value: 'value' } });
  expect((await memory.journal.get(id))?.shownAt).toBeUndefined();
});

test('what a person added is never taken away, but listed until it has gone', async () => {
  const { agent, asked, dns, wanted, put, memory, zones } = await createPerson();
  const [id = ''] = await dns.present([wanted('value')], never);
  await until(async () => (await memory.journal.get(id))?.state === 'added');
  await put('value', 'somebody-else');
  expect(await dns.ready(id, never)).toBe(true);
  await dns.cleanUp([id], never);
  await dns.close();
  await agent().recover(never);
  expect(asked.map(({ op }) => op)).toEqual(['add']);
  expect(zones.txt(apex)).toContain('value');
  expect(await memory.journal.get(id)).toMatchObject({ state: 'removing' });

  await put('somebody-else');
  await agent().recover(never);
  expect(await memory.journal.get(id)).toBeUndefined();
});

test('what nobody takes away is forgotten after a month', async () => {
  const { agent, dns, wanted, put, memory } = await createPerson();
  const [id = ''] = await dns.present([wanted('value')], never);
  await put('value');
  await until(async () => (await dns.ready(id, never)) === true);
  await dns.cleanUp([id], never);
  const later = agent({ clock: { ...systemClock, now: () => Date.now() + 31 * day } });
  await later.recover(never);
  expect(await memory.journal.all()).toEqual([]);
});
