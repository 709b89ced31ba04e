import { describe, expect, test } from 'vitest';
import { manual } from '../../providers/manual.ts';
import { AgentError } from '../../src/core/errors.ts';
import type { DnsAccount } from '../../src/dns/index.ts';
import { createPluginContext } from '../support/plugin-context.ts';
import type { RrSet } from '../support/zone-store.ts';
import { apex, bringIn, createStage, errorOf, never, type Stage, wish } from './stage.ts';

const digest = (letter: string) => letter.repeat(43);
const changedAt = Date.UTC(2026, 0, 1);

function txt(name: string, ...values: readonly string[]): RrSet {
  return { name, type: 'TXT', ttl: 60, values };
}

const records = [
  txt(apex, digest('a'), digest('b')),
  txt(`_${'x'.repeat(16)}.${apex}`, digest('c')),
  txt('_acme-challenge.deep.www.example.test', digest('d')),
  txt('_acme-challenge.short.example.test', 'not a digest'),
  txt('example.test', digest('e')),
  txt('www.example.test', digest('f')),
];

/** A vendor that lists its records, and says of those with `a` when they were changed. */
function listing({ vendor, zones }: Stage): Partial<DnsAccount> {
  return {
    zones: ['example.test'],
    provider: {
      ...vendor.provider,
      findZone: async (name) => {
        const zone = zones.zoneOf(name);
        return zone === undefined ? undefined : { name: zone, id: `id-of-${zone}` };
      },
      listTxt: async (zone) =>
        zones
          .held(zone.name)
          .filter(({ type }) => type === 'TXT')
          .flatMap(({ name, values }) =>
            values.map((value) => ({
              ...{ name, value, handle: `id-${value[0]}` },
              ...(value.startsWith('a') ? { changedAt } : {}),
            })),
          ),
    },
  };
}

async function createScene() {
  const stage = await createStage({ zones: { 'example.test': records } });
  return { ...stage, account: listing(stage), dns: stage.agent({ account: listing(stage) }) };
}

describe('leftovers', () => {
  test('are what looks like the answer to a challenge and is in no journal of ours', async () => {
    const { dns, memory } = await createScene();
    const found = await dns.care.leftovers({ domains: [], names: [] }, never);
    expect(found.zones).toEqual([{ account: 'main', zone: 'example.test', scope: 'all' }]);
    expect(found.leftovers.map(({ name, value }) => `${name} ${value[0]}`).toSorted()).toEqual(
      [
        `${apex} a`,
        `${apex} b`,
        `_acme-challenge.deep.www.example.test d`,
        `_${'x'.repeat(16)}.${apex} c`,
      ].toSorted(),
    );
    expect(found.leftovers.find(({ value }) => value === digest('a'))).toEqual({
      ...{ account: 'main', zone: 'example.test', zoneId: 'id-of-example.test', name: apex },
      ...{ value: digest('a'), handle: 'id-a', changedAt },
    });

    await dns.present([wish('example.test', digest('b'))], never);
    const again = await dns.care.leftovers({ domains: [], names: [], zone: 'example.test' }, never);
    expect(again.leftovers.map(({ value }) => value)).not.toContain(digest('b'));
    expect((await memory.journal.all()).map(({ value }) => value)).toEqual([digest('b')]);
  });

  test('are not what an order brings in while the vendor is asked', async () => {
    const { account, agent } = await createScene();
    const { provider } = account;
    const listTxt: NonNullable<typeof provider>['listTxt'] = async (...search) => {
      await bringIn(agent({ account }), [wish('example.test', digest('n'))]);
      return (await provider?.listTxt?.(...search)) ?? [];
    };
    const slow = { ...account, ...(provider && { provider: { ...provider, listTxt } }) };
    const { leftovers } = await agent({ account: slow }).care.leftovers({ domains: [], names: [] }, never);
    expect(leftovers.map(({ value }) => value[0]).toSorted()).toEqual(['a', 'b', 'c', 'd']);
  });

  test('are not what an order holds by another account with the same zone, until it lets go of it', async () => {
    const { account, agent, dns, memory, zones } = await createScene();
    const other = agent({ account: { ...account, name: 'other' } });
    const search = { domains: [], names: [] };
    await bringIn(dns, [wish('example.test', digest('n'))]);
    const found = async () => (await other.care.leftovers(search, never)).leftovers;
    expect((await found()).map(({ value }) => value[0])).not.toContain('n');

    const ours = { account: 'other', zone: 'example.test', name: apex, value: digest('n') };
    expect(await other.care.discard([ours], never)).toEqual([]);
    expect(zones.txt(apex)).toContain(digest('n'));

    // Its account has the zone no more, and cannot take it away.
    await memory.journal.update(
      (await memory.journal.all()).map((entry) => ({ ...entry, state: 'removing' as const })),
    );
    const left = (await found()).filter(({ value }) => value === digest('n'));
    expect(await other.care.discard(left, never)).toEqual(left);
    expect(left).toHaveLength(1);
    expect(zones.txt(apex)).not.toContain(digest('n'));
  });

  test('are not what we ourselves are about to take away', async () => {
    const { dns, memory, zones } = await createScene();
    await bringIn(dns, [wish('example.test', digest('n'))]);
    await memory.journal.update(
      (await memory.journal.all()).map((entry) => ({ ...entry, state: 'removing' as const })),
    );
    const { leftovers } = await dns.care.leftovers({ domains: [], names: [] }, never);
    expect(zones.txt(apex)).toContain(digest('n'));
    expect(leftovers.map(({ value }) => value[0])).not.toContain('n');
  });

  test('are looked up by the names with certificates where the vendor lists none', async () => {
    const { agent } = await createScene();
    const search = {
      domains: [{ name: 'example.test', account: 'main' }],
      names: ['example.test', 'deep.www.example.test', 'elsewhere.test'],
    };
    const found = await agent().care.leftovers(search, never);
    expect(found.zones).toEqual([{ account: 'main', zone: 'example.test', scope: 'names' }]);
    expect(found.leftovers.map(({ value }) => value[0]).toSorted()).toEqual(['a', 'b', 'd']);
  });

  test('of a zone that nobody has, or an account that is not defined, are told apart from none', async () => {
    const { dns } = await createScene();
    const search = { domains: [], names: [] };
    expect(await errorOf(dns.care.leftovers({ ...search, zone: 'other.test' }, never))).toMatchObject({
      code: 'dns.zoneNotFound',
    });
    expect(await errorOf(dns.care.leftovers({ ...search, account: 'gone' }, never))).toMatchObject({
      code: 'config.invalid',
    });
  });

  test('a vendor that cannot be asked is told, and keeps no other zone from being looked through', async () => {
    const { vendor, agent, account } = await createScene();
    const listTxt = () => Promise.reject(new AgentError('provider.auth', 'the token is not valid'));
    const provider = { ...(account.provider ?? vendor.provider), listTxt };
    const found = await agent({ account: { ...account, provider } }).care.leftovers(
      { domains: [{ name: 'nowhere.test' }], names: [] },
      never,
    );
    expect(found.leftovers).toEqual([]);
    expect(found.trouble.toSorted()).toEqual([
      'example.test at main: the token is not valid',
      expect.stringMatching(/^nowhere\.test: /),
    ]);
  });

  test('are not looked for where a person writes', async () => {
    const { agent } = await createScene();
    const provider = await manual.create({}, createPluginContext('person'));
    const dns = agent({ account: { provider, zones: ['example.test'] } });
    expect(await dns.care.leftovers({ domains: [], names: [] }, never)).toEqual({
      ...{ zones: [], leftovers: [], trouble: [] },
    });
  });
});

describe('what is discarded', () => {
  test('goes by exact name and value, and its neighbours stay', async () => {
    const { dns, memory, vendor, zones } = await createScene();
    const { leftovers } = await dns.care.leftovers({ domains: [], names: [] }, never);
    const chosen = leftovers.filter(({ value }) => value === digest('a') || value === digest('d'));
    expect(await dns.care.discard(chosen, never)).toEqual(chosen);
    expect(zones.txt(apex)).toEqual([digest('b')]);
    expect(zones.txt('_acme-challenge.deep.www.example.test')).toEqual([]);
    expect(
      vendor.calls
        .flat()
        .map(({ op, handle }) => `${op} ${handle}`)
        .toSorted(),
    ).toEqual(['remove id-a', 'remove id-d']);
    expect(await memory.journal.all()).toEqual([]);
  });

  test('and could not be, stays in the journal: the next recovery takes it away', async () => {
    const { dns, memory, vendor, zones } = await createScene();
    const { leftovers } = await dns.care.leftovers({ domains: [], names: [] }, never);
    const chosen = leftovers.filter(({ value }) => value === digest('d'));
    vendor.faults.push(new AgentError('provider.unavailable', 'the vendor is down'));
    expect(await dns.care.discard(chosen, never)).toEqual([]);
    expect((await memory.journal.all()).map(({ state }) => state)).toEqual(['removing']);
    expect(await dns.recover(never)).toMatchObject({ removed: 1, left: 0 });
    expect(zones.txt('_acme-challenge.deep.www.example.test')).toEqual([]);
  });

  test('of an account that is not defined is refused before anything is written', async () => {
    const { dns, memory } = await createScene();
    const stray = { account: 'gone', zone: 'example.test', name: apex, value: digest('a') };
    expect(await errorOf(dns.care.discard([stray], never))).toMatchObject({ code: 'config.invalid' });
    expect(await memory.journal.all()).toEqual([]);
  });
});
