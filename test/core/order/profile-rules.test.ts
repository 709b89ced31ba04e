import { afterAll, beforeAll, expect, test } from 'vitest';
import { plannedRefusal, profileRefusal } from '../../../src/core/order/profile-rules.ts';
import type { AcmeAuthorization } from '../../../src/core/ports.ts';
import { day, minute, settings, t0 } from '../given.ts';
import { startWorlds, type Worlds } from '../world.ts';

const directoryUrl = 'https://acme-v02.api.letsencrypt.org/directory';
const names = (count: number) => Array.from({ length: count }, (_, index) => `h${index}.example.com`);
const order = { issuer: 'le', directoryUrl, profile: undefined };

test.each([
  [undefined, 100, undefined],
  [undefined, 101, 'at most 100 names on a certificate of the profile classic, not 101: ask for several'],
  ['tlsserver', 25, undefined],
  [
    'tlsserver',
    26,
    'the profile tlsserver, not 26: ask for several certificates, or set the profile classic',
  ],
  ['shortlived', 26, 'set the profile classic'],
  ['of tomorrow', 500, undefined],
])('Let’s Encrypt with the profile %s and %i names: %s', (profile, count, reason) => {
  const said = profileRefusal({ ...order, profile, names: names(count) });
  if (reason === undefined) expect(said).toBeUndefined();
  else expect(said).toContain(reason);
});

test('IP addresses are for the short-lived profile there; of other CAs nothing is known', () => {
  const planned = { ...order, names: ['192.0.2.7'] };
  expect(profileRefusal(planned)).toContain('only with the profile shortlived');
  expect(profileRefusal({ ...planned, profile: 'tlsserver' })).toContain('only with the profile shortlived');
  expect(profileRefusal({ ...planned, profile: 'shortlived' })).toBeUndefined();
  expect(profileRefusal({ ...planned, directoryUrl: 'https://ca.internal/dir' })).toBeUndefined();
});

test('a domain without a profile has the usual one of its preferred issuer', () => {
  const issuerFacts = (profile: string) => ({
    first: { directoryUrl, mark: 'm', usualProfile: { name: profile, required: false } },
  });
  const domain = { issuers: ['first', 'second'], profile: undefined };
  const of = (profile: string) =>
    plannedRefusal(names(26), domain, { ...settings, issuerFacts: issuerFacts(profile) });
  expect(of('shortlived')).toContain('not 26');
  expect(of('classic')).toBeUndefined();
  expect(plannedRefusal(names(26), domain, settings)).toBeUndefined();
});

let worlds: Worlds;
beforeAll(async () => {
  worlds = await startWorlds();
});
afterAll(() => worlds.stop());

test('what the CA would refuse is not ordered there, but at the next issuer', async () => {
  const world = await worlds.open();
  const second = { directoryUrl: 'https://ca.internal/dir', mark: 'm' };
  world.settings.issuerFacts = { first: { directoryUrl, mark: 'm' }, second };
  await world.want({ name: '192.0.2.7' }, ['192.0.2.7']);
  const lineage = '192.0.2.7/192.0.2.7/ec';
  await world.renew(lineage);
  expect(world.first.orders).toHaveLength(0);
  const failed = await world.events('certificate.failed', lineage);
  expect(failed[0]?.facts).toMatchObject({ code: 'order.profile', issuer: 'first' });
  expect(await world.store.certificates.certificate(lineage)).toMatchObject({
    issuer: 'second',
    names: ['192.0.2.7'],
  });
});

test.each([
  ['an hour', 60 * minute, 60 * minute],
  ['twenty minutes', 20 * minute, 20 * minute],
  ['no time at all, by a clock that is not ours', -60 * minute, 10 * minute],
  ['a week', 7 * day, 60 * minute],
])('of authorizations that lapse after %s no verdict is waited for any longer', async (_, lifeMs, waitMs) => {
  const world = await worlds.open();
  world.first.ways.validationMs = day;
  world.gate.always('first.authorization', async (proceed) => ({
    ...((await proceed()) as AcmeAuthorization),
    expires: t0 + lifeMs,
  }));
  await world.want({ issuers: ['first'] });
  await world.live(waitMs - minute);
  expect(await world.events('certificate.failed')).toHaveLength(0);
  await world.live(3 * minute);
  const [failed] = await world.events('certificate.failed');
  expect(failed?.facts).toMatchObject({ code: 'challenge.timeout' });
});
