import { X509Certificate } from 'node:crypto';
import { inspect } from 'node:util';
import { afterEach, expect, it } from 'vitest';
import type { Deployer, DeployRequest } from '../../src/core/ports.ts';
import { awsAcm } from '../../src/deploy/aws-acm.ts';
import type { PluginContext } from '../../src/plugin/context.ts';
import { describeDeployTarget } from '../contract/deploy-target.ts';
import { describeTargetFaults, fingerprintOfPair } from '../contract/target-faults.ts';
import { createPluginContext } from '../support/plugin-context.ts';
import { type Acm, startAcm } from '../support/targets/acm.ts';
import { createSharedContexts } from '../support/targets/context.ts';
import { createManualClock, deployNow, makeBundle, signal, slot, slotOf } from './fixture.ts';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function started(): Promise<Acm> {
  const acm = await startAcm();
  closing.push(acm.server.stop);
  return acm;
}

/** Without a context: one that remembers nothing, as after the loss of the store. */
async function createTarget(
  acm: Acm,
  more: object = {},
  context: PluginContext = createPluginContext('acm'),
): Promise<Deployer> {
  return awsAcm.create(awsAcm.options.parse({ ...acm.options, ...more }), context);
}

function heldFor({ certificates }: Acm, { label, keyClass }: DeployRequest['slot']) {
  return [...certificates.values()].filter(({ cert }) => {
    const { subjectAltName, publicKey } = new X509Certificate(cert);
    const isRsa = publicKey.asymmetricKeyType === 'rsa';
    return subjectAltName === `DNS:${label}` && isRsa === (keyClass === 'rsa');
  });
}

describeDeployTarget('aws-acm', async () => {
  const acm = await startAcm();
  return {
    create: () => createTarget(acm),
    async read(where) {
      const [found, ...others] = heldFor(acm, where);
      expect(others.length).toBeLessThan(2);
      return found && { certificatePem: found.cert, keyPem: found.key };
    },
    breakTarget: async () => {
      acm.server.refuse({ status: 400, json: { __type: 'LimitExceededException', message: 'too many' } });
      return async () => acm.server.refuse(undefined);
    },
    close: acm.server.stop,
  };
});

describeTargetFaults('aws-acm', async () => {
  const acm = await startAcm();
  return {
    server: acm.server,
    create: () => createTarget(acm),
    served(where) {
      const [found] = heldFor(acm, where);
      return found && fingerprintOfPair(found.cert, found.key);
    },
    held: () => [...acm.certificates.values()].map((one) => JSON.stringify(one)),
  };
});

it('the ARN stays through replacements, is found by its tag, and once known is not searched for', async () => {
  const acm = await started();
  const contexts = createSharedContexts('acm');
  const target = await createTarget(acm, { tags: { team: 'web' } }, contexts());
  await deployNow(target, { bundle: await makeBundle([slot.label]), slot });
  const [arn] = acm.certificates.keys();
  const before = acm.actions.length;
  await deployNow(await createTarget(acm, {}, contexts()), { bundle: await makeBundle([slot.label]), slot });
  expect(acm.actions.slice(before)).toEqual(['GetCertificate', 'ImportCertificate', 'GetCertificate']);
  await deployNow(await createTarget(acm), { bundle: await makeBundle([slot.label]), slot });
  expect([...acm.certificates.keys()]).toEqual([arn]);
  expect(acm.certificates.get(arn ?? '')?.tags).toMatchObject({ team: 'web', Name: slot.label });
});

it('a certificate that is there is not imported again, but a new chain is', async () => {
  const acm = await started();
  const target = await createTarget(acm);
  const bundle = await makeBundle([slot.label]);
  await deployNow(target, { bundle, slot });
  await deployNow(target, { bundle, slot });
  const imports = () => acm.actions.filter((action) => action === 'ImportCertificate').length;
  expect(imports()).toBe(1);
  await deployNow(target, {
    bundle: { ...bundle, chainDer: (await makeBundle(['x.example'])).chainDer },
    slot,
  });
  expect(imports()).toBe(2);
});

it.each(['5xx', 'reset-before', 'reset-after'] as const)(
  'an import that fails (%s) is not sent twice, and one that lost its answer is found again',
  async (kind) => {
    const acm = await started();
    const bundle = await makeBundle([slot.label]);
    // After the list, in which there is nothing.
    const fault = acm.server.faultAfter(1, kind);
    await expect((await createTarget(acm)).deploy({ bundle, slot }, signal)).rejects.toMatchObject({
      code: 'deploy.target',
    });
    expect(fault.hasMet()).toBe(true);
    expect(acm.server.calls).toHaveLength(2);
    expect(acm.certificates.size).toBe(kind === 'reset-after' ? 1 : 0);
    const [made] = acm.certificates.keys();
    const before = acm.actions.length;
    await deployNow(await createTarget(acm), { bundle, slot });
    const [arn, ...others] = acm.certificates.keys();
    expect(others).toEqual([]);
    if (made !== undefined) expect(arn).toBe(made);
    const imports = acm.actions.slice(before).filter((action) => action === 'ImportCertificate');
    expect(imports).toHaveLength(kind === 'reset-after' ? 0 : 1);
  },
);

it('a request too many has failed nothing: it comes back within seconds, and counts once that lasts', async () => {
  const acm = await started();
  const clock = createManualClock();
  const target = await createTarget(acm, {}, createPluginContext('acm', clock));
  const bundle = await makeBundle([slot.label]);
  const busy = () =>
    acm.server.refuse({ status: 400, json: { __type: 'ThrottlingException', message: 'Rate exceeded' } });
  const put = () => target.deploy({ bundle, slot }, signal);

  busy();
  const [first, other] = await Promise.all([
    put(),
    target.deploy({ bundle, slot: slotOf('other.example.com') }, signal),
  ]);
  const again = 'again' in first ? first.again - clock.now() : 0;
  expect(again).toBeGreaterThanOrEqual(2_000);
  expect(again).toBeLessThan(12_000);
  expect(other).not.toEqual(first);
  acm.server.refuse(undefined);
  expect(await put()).toEqual({ observed: bundle.certificate.fingerprint });

  // What was long ago does not count.
  clock.advance(3_600_000);
  busy();
  expect(await put()).toHaveProperty('again');
  clock.advance(14 * 60_000);
  expect(await put()).toHaveProperty('again');
  clock.advance(2 * 60_000);
  await expect(put()).rejects.toMatchObject({
    code: 'deploy.target',
    retry: 'later',
    message: expect.stringContaining('ThrottlingException: Rate exceeded'),
  });
});

it('a certificate of these names that is not of the agent is left alone, also among pages of others', async () => {
  const acm = await started();
  const other = await createTarget(acm);
  for (const label of ['a.example', 'b.example', 'c.example'])
    await deployNow(other, { bundle: await makeBundle([label]), slot: slotOf(label) });
  const theirs = await makeBundle([slot.label]);
  await deployNow(other, { bundle: theirs, slot });
  for (const [arn, one] of acm.certificates)
    if (one.tags.Name === slot.label) acm.certificates.set(arn, { ...one, tags: {} });
  const before = [...acm.certificates.keys()];
  const target = await createTarget(acm);
  expect(await target.observe(slot, signal)).toBeUndefined();
  await deployNow(target, { bundle: await makeBundle([slot.label]), slot });
  expect(acm.certificates.size).toBe(before.length + 1);
  await (await createTarget(acm)).remove?.(slot, signal);
  expect([...acm.certificates.keys()]).toEqual(before);
});

it('two that were imported at once become one again', async () => {
  const acm = await started();
  await deployNow(await createTarget(acm), { bundle: await makeBundle([slot.label]), slot });
  const [held] = acm.certificates.values();
  if (held === undefined) throw new Error('nothing was deployed');
  acm.certificates.set('arn:aws:acm:eu-central-1:123456789012:certificate/twin', held);
  const bundle = await makeBundle([slot.label]);
  expect(await deployNow(await createTarget(acm), { bundle, slot })).toBe(bundle.certificate.fingerprint);
  expect(acm.certificates.size).toBe(1);
});

it('one that was deleted in ACM is made anew; one that is in use stays when it should go', async () => {
  const acm = await started();
  const target = await createTarget(acm);
  const bundle = await makeBundle([slot.label]);
  await deployNow(target, { bundle, slot });
  acm.certificates.clear();
  expect(await target.observe(slot, signal)).toBeUndefined();
  expect(await deployNow(target, { bundle, slot })).toBe(bundle.certificate.fingerprint);
  const [arn = ''] = acm.certificates.keys();
  acm.inUse.add(arn);
  await expect(target.remove?.(slot, signal)).rejects.toMatchObject({
    code: 'deploy.target',
    retry: 'blocked',
    message: `ACM keeps ${arn}: something still uses it`,
  });
  expect(await target.observe(slot, signal)).toBe(bundle.certificate.fingerprint);
});

it('another key type is refused in words of ACM, and the old certificate stays', async () => {
  const acm = await started();
  const target = await createTarget(acm);
  const older = await makeBundle([slot.label]);
  await deployNow(target, { bundle: older, slot });
  const newer = await makeBundle([slot.label], { keyType: 'p384' });
  await expect(target.deploy({ bundle: newer, slot }, signal)).rejects.toMatchObject({
    code: 'deploy.target',
    retry: 'blocked',
    message: expect.stringContaining('The key type and size cannot be changed.'),
  });
  expect(await target.observe(slot, signal)).toBe(older.certificate.fingerprint);
});

it('what ACM repeats of the request comes through without the key', async () => {
  const acm = await started();
  const bundle = await makeBundle([slot.label]);
  acm.repeats = true;
  const target = await createTarget(acm);
  const error: unknown = await target.deploy({ bundle, slot }, signal).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ message: expect.stringContaining('at privateKey: [secret]') });
  const der = Buffer.from(bundle.privateKey.reveal()).toString('base64');
  expect(inspect(error, { depth: 9 })).not.toContain(Buffer.from(der.slice(0, 30)).toString('base64'));
});

it('a check says when the credentials are not taken, without showing them', async () => {
  const acm = await started();
  await (await createTarget(acm)).check?.(signal);
  const wrong = await createTarget(acm, { accessKeyId: 'AKIDOTHER', secretAccessKey: 'of-another-account' });
  const error: unknown = await wrong.check?.(signal).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: 'deploy.target', retry: 'blocked' });
  expect(inspect(error, { depth: 9 })).not.toContain('of-another-account');
});

it('credentials are given whole or not at all', () => {
  const options = { region: 'eu-central-1', accessKeyId: 'AKIDTESTONLY' };
  expect(awsAcm.options.safeParse(options).success).toBe(false);
});
