import { createPrivateKey, X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Deployer, DeployRequest } from '../../src/core/ports.ts';
import type { Bundle } from '../../src/core/types.ts';
import { deployNow, makeBundle, slotOf } from '../deploy/fixture.ts';
import { type FaultKind, faultKinds, type TargetServer } from '../support/targets/server.ts';

/** A target that is reached over HTTP, at a server that can fail any call. */
export interface FaultySetup {
  readonly server: Pick<TargetServer, 'faultAfter' | 'stop'>;
  /** As another process with the same configuration makes it. */
  create(): Promise<Deployer>;
  /** Fingerprint of what the server would serve for the slot; throws when that is half a certificate. */
  served(slot: DeployRequest['slot']): string | undefined | Promise<string | undefined>;
  /** All that the server holds, in words; what is left over of a replaced certificate would be among it. */
  held(): readonly string[] | Promise<readonly string[]>;
}

/** Fingerprint of the leaf, after a look that the key is its own. */
export function fingerprintOfPair(cert: string, key: string): string {
  const leaf = new X509Certificate(cert);
  expect(leaf.checkPrivateKey(createPrivateKey(key))).toBe(true);
  return leaf.fingerprint256.replaceAll(':', '').toLowerCase();
}

const slot = slotOf('www.example.com');

/**
 * A failure at every call of a deployment in turn, each way a call can fail. Afterwards the target shows the old
 * certificate or the new one, and the next deployment, by another process, leaves it with the new one and nothing else.
 */
export function describeTargetFaults(name: string, setUp: () => Promise<FaultySetup>): void {
  describe(`${name} with a failure at each call in turn`, () => {
    describe.each(faultKinds)('(%s)', (kind) => {
      it.each([
        ['a first certificate', false],
        ['a replacement', true],
      ])('of %s is old or new, never half, and ends new with nothing left over', async (_, isReplacement) => {
        const older = isReplacement ? await makeBundle([slot.label]) : undefined;
        const newer = await makeBundle([slot.label]);
        const unharmed = await heldAfter([older, newer]);
        let failed = 0;
        for (let at = 0; ; at += 1) {
          const target = await setUp();
          try {
            if (older !== undefined) await deployNow(await target.create(), { bundle: older, slot });
            if (!(await deployInto({ target, at, kind, newer }))) break;
            const shown = [undefined, older, newer].map((bundle) => bundle?.certificate.fingerprint);
            expect(shown.slice(older === undefined ? 0 : 1)).toContain(await target.served(slot));
            expect(await deployNow(await target.create(), { bundle: newer, slot })).toBe(
              newer.certificate.fingerprint,
            );
            expect(await target.served(slot)).toBe(newer.certificate.fingerprint);
            expect(await target.held()).toEqual(unharmed);
            failed += 1;
          } finally {
            await target.server.stop();
          }
        }
        expect(failed).toBeGreaterThan(0);
      });
    });

    it('takes a certificate away after a failure at any call of that', async () => {
      const bundle = await makeBundle([slot.label]);
      for (const kind of ['5xx', 'reset-after'] as const) {
        for (let at = 0; ; at += 1) {
          const target = await setUp();
          try {
            const deployer = await target.create();
            await deployNow(deployer, { bundle, slot });
            const fault = target.server.faultAfter(at, kind);
            await deployer.remove?.(slot, new AbortController().signal).catch(() => undefined);
            const wasMet = fault.hasMet();
            if (wasMet) await (await target.create()).remove?.(slot, new AbortController().signal);
            expect(await target.held()).toEqual([]);
            if (!wasMet) break;
          } finally {
            await target.server.stop();
          }
        }
      }
    });
  });

  async function heldAfter(bundles: readonly (Bundle | undefined)[]): Promise<readonly string[]> {
    const target = await setUp();
    const deployer = await target.create();
    for (const bundle of bundles) if (bundle !== undefined) await deployNow(deployer, { bundle, slot });
    const held = await target.held();
    await target.server.stop();
    return held;
  }
}

/** false: the deployment makes fewer calls, so there was no failure. */
async function deployInto(step: {
  readonly target: FaultySetup;
  readonly at: number;
  readonly kind: FaultKind;
  readonly newer: Bundle;
}): Promise<boolean> {
  const { target, at, kind, newer } = step;
  const stop = new AbortController();
  const fault = target.server.faultAfter(at, kind);
  if (kind === 'hang') fault.met.then(() => stop.abort(new Error('given up')));
  const deployer = await target.create();
  await deployer.deploy({ bundle: newer, slot }, stop.signal).catch(() => undefined);
  return fault.hasMet();
}
