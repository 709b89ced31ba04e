import { expect, test } from 'vitest';
import { secret } from '../../src/core/secret.ts';
import type { Binding } from '../../src/core/types.ts';
import { canary } from '../support/canaries.ts';
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

  test('what is staged is sealed, opens with its id, and is gone but for its use once it was used', async () => {
    const text = canary();
    const files = {
      certificate: secret<Uint8Array>(Buffer.from(text)),
      password: secret(canary()),
    };
    const id = await agents.store.staging.put(files);
    const key = `{acme}:staging:${id}`;
    const lifeMs = await raw(agents.store, (client) => client.pttl(key));
    expect(lifeMs).toBeGreaterThan(10 * 60_000);
    expect(lifeMs).toBeLessThanOrEqual(15 * 60_000);
    const staged = await agents.other.staging.get(id);
    if (staged === undefined || !('files' in staged)) throw new Error('nothing is staged');
    expect(staged.files.certificate.reveal()).toEqual(files.certificate.reveal());
    expect(staged.files.password?.reveal()).toBe(files.password.reveal());
    expect(staged.files.key).toBeUndefined();
    const stored = await raw(agents.store, (client) => client.getBuffer(key));
    expect(stored?.includes(text)).toBe(false);

    // Nobody who can write to Redis puts it under another id.
    await raw(agents.store, (client) => client.set('{acme}:staging:other', stored ?? ''));
    await expect(agents.other.staging.get('other')).rejects.toMatchObject({ code: 'store.masterKey' });

    await agents.store.changes.commit({ useStaging: { id, lineage: 'cert-7' } });
    expect(await agents.other.staging.get(id)).toEqual({ usedFor: 'cert-7' });
    expect(await raw(agents.store, (client) => client.pttl(key))).toBeGreaterThan(0);
    await agents.store.changes.commit({ dropStaging: id });
    expect(await agents.other.staging.get(id)).toBeUndefined();
  });

  test('the pointer goes back to a generation that is held, and to no other', async () => {
    const id = 'point.test/www/ec';
    for (const generation of [1, 2, 3])
      await agents.store.changes.commit({
        putLineages: [lineage(id, 'point.test')],
        generation: bundle(id, generation),
      });
    const second = await agents.store.certificates.certificate(id, 2);
    await agents.store.changes.commit({ point: { lineage: id, generation: 2 } });
    expect(await agents.other.certificates.certificate(id)).toEqual(second);
    expect(await agents.other.certificates.lineage(id)).toMatchObject({ current: 2, generations: [1, 2, 3] });
    await expect(
      agents.store.changes.commit({ point: { lineage: id, generation: 9 } }),
    ).rejects.toMatchObject({ code: 'store.conflict' });
    expect((await agents.other.certificates.lineage(id))?.current).toBe(2);
    await agents.store.changes.commit({ generation: bundle(id, 4) });
    expect(await agents.other.certificates.lineage(id)).toMatchObject({ current: 4, generations: [2, 3, 4] });
  });
}
