import { expect } from 'vitest';
import { createTurns } from './dns-calls.ts';
import { digest, type Suite } from './suite.ts';

const signal = new AbortController().signal;

/** Points 1 to 9: values come and go, and nothing else does. */
export function describeValues({ traits, subject, at, add, remove, apply, expectGone, point }: Suite): void {
  const one = traits.maxValuesPerName === 1 ? 'a name holds one value (trait maxValuesPerName)' : undefined;
  const inexact = traits.removeIsExact
    ? undefined
    : 'removing a value takes its neighbours along (trait removeIsExact)';
  const lasting =
    traits.keepsRemoved === true
      ? 'a value removed stands until others take its place (trait keepsRemoved)'
      : undefined;

  point(1, async () => {
    await apply([add(at('one'), digest)]);
    expect(await subject().txt(at('one'))).toEqual([digest]);
    await apply([remove(at('one'), digest)]);
    await expectGone(at('one'));
  });

  point(
    1,
    async () => {
      await apply([add(at('listed'), digest)]);
      const { provider, zone } = subject();
      const records = await provider.listTxt?.(zone, [at('listed'), at('none')], signal);
      expect(records?.map(({ name, value }) => ({ name, value }))).toEqual([
        { name: at('listed'), value: digest },
      ]);
      await apply([remove(at('listed'), digest)]);
    },
    { part: 'listTxt', detail: 'lists what it added, and nothing for other names' },
  );

  point(
    2,
    async () => {
      await apply([add(at('two'), 'first'), add(at('two'), 'second')]);
      expect([...(await subject().txt(at('two')))].sort()).toEqual(['first', 'second']);
      await apply([remove(at('two'), 'first'), remove(at('two'), 'second')]);
    },
    { unless: one },
  );

  point(
    3,
    async () => {
      const count = Math.min(20, traits.maxValuesPerName);
      const values = Array.from({ length: count }, (_, index) => `value-${index}`);
      const inTurn = createTurns(traits);
      await Promise.all(values.map((value) => inTurn(() => apply([add(at('many'), value)]))));
      expect([...(await subject().txt(at('many')))].sort()).toEqual([...values].sort());
      await Promise.all(values.map((value) => inTurn(() => apply([remove(at('many'), value)]))));
    },
    { unless: one },
  );

  point(
    4,
    async () => {
      await apply([add(at('pair'), 'stays'), add(at('pair'), 'goes')]);
      await apply([remove(at('pair'), 'goes')]);
      expect(await subject().txt(at('pair'))).toEqual(['stays']);
      await apply([remove(at('pair'), 'stays')]);
    },
    { unless: one ?? inexact ?? lasting },
  );

  point(
    5,
    async () => {
      await subject().addForeign(at('foreign'), 'v=spf1 -all');
      await apply([add(at('foreign'), digest)]);
      expect([...(await subject().txt(at('foreign')))].sort()).toEqual([digest, 'v=spf1 -all'].sort());
      await apply([remove(at('foreign'), digest)]);
      expect(await subject().txt(at('foreign'))).toEqual(['v=spf1 -all']);
      await subject().removeForeign(at('foreign'), 'v=spf1 -all');
    },
    { unless: one ?? inexact ?? lasting },
  );

  point(6, async () => {
    await apply([add(at('again'), digest)]);
    await apply([add(at('again'), digest)]);
    expect(await subject().txt(at('again'))).toEqual([digest]);
    await apply([remove(at('again'), digest)]);
  });

  point(7, async () => {
    await apply([remove(at('never'), digest)]);
    expect(await subject().txt(at('never'))).toEqual([]);
  });

  point(8, async () => {
    await apply([add(at('restart'), digest)]);
    await apply([remove(at('restart'), digest)], subject().again());
    await expectGone(at('restart'));
  });

  for (const [detail, value] of [
    ['beginning with a hyphen', '-begins-with-a-hyphen'],
    ['beginning with an underscore', '_begins'],
    ['longer than one character string', 'x'.repeat(300)],
    ['with quotes, backslashes and blanks', 'a "quoted" back\\slash; and 007'],
  ] as const)
    point(
      9,
      async () => {
        await apply([add(at('odd'), value)]);
        expect(await subject().txt(at('odd'))).toEqual([value]);
        await apply([remove(at('odd'), value)]);
      },
      { part: 'anyText', detail },
    );
}
