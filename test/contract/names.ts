import { expect } from 'vitest';
import { digest, type Suite } from './suite.ts';

const signal = new AbortController().signal;

/** Points 10, 11, 13, 20 and 21: names, zones, rights, long lists. */
export function describeNames({ traits, subject, at, add, remove, apply, point }: Suite): void {
  for (const [detail, nameIn] of [
    ['at the apex', (zone: string) => `_acme-challenge.${zone}`],
    ['five labels deep', (zone: string) => `_acme-challenge.a.b.c.d.${zone}`],
    ['with an internationalised label', (zone: string) => `_acme-challenge.xn--bcher-kva.${zone}`],
  ] as const)
    point(
      10,
      async () => {
        const owner = nameIn(subject().zone.name);
        await apply([add(owner, digest)]);
        expect(await subject().txt(owner)).toEqual([digest]);
        await apply([remove(owner, digest)]);
      },
      { detail },
    );

  point(
    11,
    async () => {
      const { provider, zone, delegated } = subject();
      const found = async (name: string) => (await provider.findZone?.(name, signal))?.name;
      expect(await found(at('deep.below'))).toBe(zone.name);
      expect(await found(zone.name)).toBe(zone.name);
      expect(await found(delegated?.name ?? '')).toBe(delegated?.zone);
    },
    { part: 'delegated' },
  );

  point(
    13,
    async () => {
      const { provider } = subject();
      const { zone = subject().zone, code } = subject().missing ?? {};
      const owner = `_acme-challenge.${zone.name}`;
      expect(await provider.findZone?.(owner, signal)).toBeUndefined();
      const calls = subject().calls?.() ?? 0;
      await expect(provider.apply(zone, [add(owner, digest)], signal)).rejects.toMatchObject({ code });
      expect((subject().calls?.() ?? 0) - calls).toBeLessThanOrEqual(2);
    },
    { part: 'missing', detail: 'a zone that is not at the account' },
  );

  point(
    13,
    async () => {
      const { provider, zone, denyRights, calls = () => 0 } = subject();
      const denial = denyRights?.();
      const before = calls();
      const applied = provider.apply(zone, [add(at('rights'), digest)], signal);
      const error = await applied.then(
        ({ outcomes: [outcome] }) => (outcome?.ok === false ? outcome.error : undefined),
        (thrown: unknown) => thrown,
      );
      denial?.restore();
      expect(error).toMatchObject({ code: denial?.code, retry: 'blocked' });
      expect(calls() - before).toBeLessThanOrEqual(2);
    },
    { part: 'denyRights', detail: 'rights that it lacks' },
  );

  point(
    20,
    async () => {
      await apply([{ ...add(at('ttl'), digest), ttl: traits.ttl.min }]);
      expect(await subject().ttl?.(at('ttl'))).toBe(traits.ttl.min);
      await apply([remove(at('ttl'), digest)]);
    },
    { part: 'ttl' },
  );

  point(
    21,
    async () => {
      const account = await subject().large?.();
      if (account === undefined) throw new Error('the subject has no large account');
      try {
        const { provider, zone, held, values, txt } = account;
        for (const { name, zone: holder } of held)
          expect((await provider.findZone?.(name, signal))?.name).toBe(holder);
        const changes = ['one', 'two'].map((value) => add(`_acme-challenge.${zone.name}`, value));
        for (let twice = 0; twice < 2; twice++) await provider.apply(zone, changes, signal);
        expect(await txt(`_acme-challenge.${zone.name}`)).toEqual(['one', 'two']);
        expect(await provider.listTxt?.(zone, undefined, signal)).toHaveLength(values + 2);
        const leaving = changes.map((change) => ({ ...change, op: 'remove' as const }));
        await provider.apply(zone, leaving, signal);
        expect(await txt(`_acme-challenge.${zone.name}`)).toEqual([]);
      } finally {
        await account.stop();
      }
    },
    { part: 'large' },
  );
}
