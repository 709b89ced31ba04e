import { expect, test } from 'vitest';
import type { Binding } from '../../src/core/types.ts';
import { type Agents, raw } from './agents.ts';
import { bundle, lineage } from './samples.ts';

const bound = (name: string, ...lineages: readonly string[]): Binding => ({ name, lineages, boundAt: 1_000 });

/** Uploads, and what is bound. */
export function suiteBindings(agents: Agents): void {
  test('bindings come back as they were put: by name, by lineage, and all of them', async () => {
    const web = bound('web:443', 'bind.test/a/ec', 'bind.test/a/rsa');
    const star = bound('*.bind.test', 'bind.test/a/ec');
    await agents.store.changes.commit({ putBindings: [web, star] });
    const { bindings } = agents.other;
    expect(await bindings.get('web:443')).toEqual(web);
    expect(await bindings.get('none:443')).toBeUndefined();
    expect(await bindings.among(['none', 'web:443', '*.bind.test'])).toEqual([web, star]);
    expect(await bindings.among([])).toEqual([]);
    expect(await bindings.all()).toEqual([star, web]);
    expect(await bindings.of('bind.test/a/ec')).toEqual([star, web]);
    expect(await bindings.of('bind.test/a/rsa')).toEqual([web]);
  });

  test('a binding that takes the place of another one leaves nothing of it', async () => {
    const before = bound('swap.bind.test', 'cert-1', 'cert-2');
    const after = bound('swap.bind.test', 'cert-2', 'cert-3');
    await agents.store.changes.commit({ putBindings: [before] });
    await agents.store.changes.commit({ removeBindings: [before], putBindings: [after] });
    const { bindings } = agents.other;
    expect(await bindings.get('swap.bind.test')).toEqual(after);
    expect(await bindings.of('cert-1')).toEqual([]);
    expect(await bindings.of('cert-2')).toEqual([after]);
    expect(await bindings.of('cert-3')).toEqual([after]);
    await agents.store.changes.commit({ removeBindings: [after] });
    expect(await bindings.get('swap.bind.test')).toBeUndefined();
    expect(await bindings.of('cert-3')).toEqual([]);
    expect(await raw(agents.store, (client) => client.exists('{acme}:bindings:cert-3'))).toBe(0);
  });

  test('the uploads of a domain are found without its other lineages', async () => {
    const upload = { ...lineage('cert-9', 'up.test'), source: 'upload', policy: undefined } as const;
    await agents.store.changes.commit({
      putLineages: [lineage('up.test/www/ec', 'up.test'), upload],
      generation: bundle('cert-9', 1),
    });
    const found = await agents.other.certificates.uploads('up.test');
    expect(found.map(({ id, current }) => [id, current])).toEqual([['cert-9', 1]]);
    expect(await agents.other.certificates.lineages('up.test')).toHaveLength(2);
    await agents.store.changes.commit({ removeLineages: ['cert-9'] });
    expect(await agents.other.certificates.uploads('up.test')).toEqual([]);
  });
}
