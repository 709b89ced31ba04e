import { createPrivateKey, X509Certificate } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AgentError } from '../../src/core/errors.ts';
import type { Deployer, DeployRequest } from '../../src/core/ports.ts';
import { deployNow, makeBundle, slotOf } from '../deploy/fixture.ts';

/** What the suite needs of a target's test set-up. */
export interface DeployTargetSetup {
  /** A deployer as another process with the same configuration would make it; it shows what it gets at once. */
  create(): Promise<Deployer>;
  /** What a server at the target would load for the slot, found without the deployer; undefined: nothing. */
  read(slot: DeployRequest['slot']): Promise<ServedPem | undefined>;
  /** Makes the target refuse every change until the function returned is called. */
  breakTarget(): Promise<() => Promise<void>>;
  close(): Promise<void>;
}

export interface ServedPem {
  readonly certificatePem: string;
  /** undefined: the target is never given a key. */
  readonly keyPem: string | undefined;
}

/** What every deploy target must do, whatever it writes to. */
export function describeDeployTarget(name: string, setUp: () => Promise<DeployTargetSetup>): void {
  describe(`${name} as a deploy target`, () => {
    let target: DeployTargetSetup;
    const live = () => new AbortController().signal;

    beforeAll(async () => {
      target = await setUp();
    });

    afterAll(async () => {
      await target?.close();
    });

    async function expectServed(slot: DeployRequest['slot'], fingerprint: string): Promise<void> {
      const found = await target.read(slot);
      const leaf = new X509Certificate(found?.certificatePem ?? '');
      expect(leaf.fingerprint256.replaceAll(':', '').toLowerCase()).toBe(fingerprint);
      const key = found?.keyPem;
      if (key !== undefined) expect(leaf.checkPrivateKey(createPrivateKey(key))).toBe(true);
    }

    it('shows nothing before the first deployment', async () => {
      const deployer = await target.create();
      expect(await deployer.observe(slotOf('empty.example.com'), live())).toBeUndefined();
      expect(await target.read(slotOf('empty.example.com'))).toBeUndefined();
    });

    it('shows what was deployed, in this and in every other process', async () => {
      const slot = slotOf('first.example.com');
      const bundle = await makeBundle([slot.label]);
      const { fingerprint } = bundle.certificate;
      expect(await (await target.create()).deploy({ bundle, slot }, live())).toEqual({
        observed: fingerprint,
      });
      expect(await (await target.create()).observe(slot, live())).toBe(fingerprint);
      await expectServed(slot, fingerprint);
    });

    it('takes the same certificate twice, at once and from two processes', async () => {
      const slot = slotOf('twice.example.com');
      const bundle = await makeBundle([slot.label]);
      const observed = bundle.certificate.fingerprint;
      const [one, two] = [await target.create(), await target.create()];
      expect(
        await Promise.all([one.deploy({ bundle, slot }, live()), one.deploy({ bundle, slot }, live())]),
      ).toEqual([{ observed }, { observed }]);
      expect(await two.deploy({ bundle, slot }, live())).toEqual({ observed });
      await expectServed(slot, observed);
    });

    it('takes it once more when clients were seen to be shown something else', async () => {
      const slot = slotOf('amiss.example.com');
      const bundle = await makeBundle([slot.label]);
      const deployer = await target.create();
      const observed = await deployNow(deployer, { bundle, slot });
      expect(await deployNow(deployer, { bundle, slot, amissAt: bundle.certificate.issuedAt })).toBe(
        observed,
      );
      await expectServed(slot, observed);
    });

    it('replaces a fallback by an issued certificate, that by an upload, and goes back, in the same place', async () => {
      const slot = slotOf('*.example.com');
      const deployer = await target.create();
      const fallback = await makeBundle([slot.label], { source: 'self-signed', chain: 0 });
      const issued = await makeBundle([slot.label]);
      const uploaded = await makeBundle([slot.label], { source: 'upload', chain: 2 });
      for (const bundle of [fallback, issued, uploaded, issued]) {
        const observed = await deployNow(deployer, { bundle, slot });
        expect(observed).toBe(bundle.certificate.fingerprint);
        await expectServed(slot, observed);
      }
    });

    it('keeps the slots apart: labels, wildcard and apex, EC and RSA', async () => {
      const deployer = await target.create();
      const slots = [slotOf('example.com'), slotOf('*.b.example.com'), slotOf('b.example.com')];
      const all = [...slots, slotOf('b.example.com', 'rsa')];
      const bundles = await Promise.all(
        all.map((slot) =>
          makeBundle([slot.label], { keyType: slot.keyClass === 'rsa' ? 'rsa2048' : 'p256' }),
        ),
      );
      await Promise.all(
        all.flatMap((slot, at) => {
          const bundle = bundles[at];
          return bundle === undefined ? [] : [deployer.deploy({ bundle, slot }, live())];
        }),
      );
      for (const [at, slot] of all.entries())
        await expectServed(slot, bundles[at]?.certificate.fingerprint ?? '');
    });

    it('takes away what it is told to, once and again, and nothing else; later it is there again', async () => {
      const deployer = await target.create();
      if (deployer.remove === undefined) return;
      const [gone, other] = [slotOf('gone.example.com'), slotOf('gone.example.com', 'rsa')];
      const bundle = await makeBundle([gone.label]);
      const rsa = await makeBundle([gone.label], { keyType: 'rsa2048' });
      await deployNow(deployer, { bundle, slot: gone });
      await deployNow(deployer, { bundle: rsa, slot: other });
      await deployer.remove(gone, live());
      await (await target.create()).remove?.(gone, live());
      expect(await deployer.observe(gone, live())).toBeUndefined();
      expect(await target.read(gone)).toBeUndefined();
      await expectServed(other, rsa.certificate.fingerprint);
      await deployNow(deployer, { bundle, slot: gone });
      await expectServed(gone, bundle.certificate.fingerprint);
    });

    it('changes nothing once the signal was aborted', async () => {
      const slot = slotOf('aborted.example.com');
      const deployer = await target.create();
      const [older, newer] = [await makeBundle([slot.label]), await makeBundle([slot.label])];
      await deployer.deploy({ bundle: older, slot }, live());
      const reason = new Error('shutting down');
      await expect(deployer.deploy({ bundle: newer, slot }, AbortSignal.abort(reason))).rejects.toBe(reason);
      await expectServed(slot, older.certificate.fingerprint);
    });

    it('that refuses a change says so in words, still shows the old certificate, and takes the new one later', async () => {
      const slot = slotOf('refused.example.com');
      const deployer = await target.create();
      const [older, newer] = [await makeBundle([slot.label]), await makeBundle([slot.label])];
      await deployer.deploy({ bundle: older, slot }, live());

      const mend = await target.breakTarget();
      const refusal = await deployer.deploy({ bundle: newer, slot }, live()).catch((error: unknown) => error);
      await expectServed(slot, older.certificate.fingerprint);
      await mend();
      expect(refusal).toBeInstanceOf(AgentError);
      expect(refusal).toMatchObject({ code: expect.stringMatching(/^deploy\./) });
      expect(JSON.stringify(refusal) + String(refusal)).not.toContain('PRIVATE KEY');

      const observed = await deployNow(deployer, { bundle: newer, slot });
      expect(observed).toBe(newer.certificate.fingerprint);
      await expectServed(slot, observed);
    });
  });
}
