import { expect, it, onTestFinished } from 'vitest';
import { netcup } from '../../providers/netcup.ts';
import { describeVendor, providerAt } from '../contract/vendor.ts';
import { apiKey, apiPassword, createNetcupFront, customerNumber } from '../support/vendors/netcup.ts';
import { startVendor } from '../support/vendors/server.ts';

const signal = new AbortController().signal;
const options = { customerNumber, apiKey, apiPassword };
const zone = { name: 'example.test' };
const add = { op: 'add', name: '_acme-challenge.example.test', value: 'digest', ttl: 300 } as const;

describeVendor({
  definition: netcup,
  front: createNetcupFront(),
  options,
  wrongOptions: { customerNumber, apiKey, apiPassword: 'wrong-password' },
  zoneRef: ({ name }) => ({ name }),
  notApplicable: {
    denyRights: 'an API key has all rights of the customer',
    ttl: 'records have the TTL of their zone',
  },
});

it('logs in once for all calls, and once more when the session ended before its time', async () => {
  const front = createNetcupFront();
  const server = await startVendor(front, {});
  onTestFinished(() => server.stop());
  const provider = await providerAt({ definition: netcup, options }, server);
  await Promise.all([provider.listTxt?.(zone, undefined, signal), provider.findZone?.(zone.name, signal)]);
  expect(server.calls).toHaveLength(3);
  front.endSessions();
  await provider.apply(zone, [add], signal);
  // A list that is refused, a login, a list and an update.
  expect(server.calls).toHaveLength(7);
  expect(server.world.store.txt(add.name)).toEqual(['digest']);
});

it('sends what changes only, and says of a login that fails that the credentials are wrong, without them', async () => {
  const server = await startVendor(createNetcupFront(), {});
  onTestFinished(() => server.stop());
  const before = server.world.records(zone.name).map(({ id }) => id);
  const provider = await providerAt({ definition: netcup, options }, server);
  await provider.apply(zone, [add], signal);
  await provider.apply(zone, [{ ...add, op: 'remove' }], signal);
  expect(server.world.records(zone.name).map(({ id }) => id)).toEqual(before);
  const wrong = { ...options, apiPassword: 'another-secret-password' };
  const stranger = await providerAt({ definition: netcup, options: wrong }, server);
  const error = await Promise.resolve(stranger.check?.(signal)).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'provider.auth', message: /^netcup refuses to log in/ });
  expect(String(error)).not.toContain('another-secret-password');
});

it('puts a value into a zone that has no records, which netcup tells as an error', async () => {
  const server = await startVendor(createNetcupFront(), {});
  onTestFinished(() => server.stop());
  for (const { id } of server.world.records(zone.name)) server.world.removeRecord(zone.name, id);
  const provider = await providerAt({ definition: netcup, options }, server);
  expect(await provider.listTxt?.(zone, undefined, signal)).toEqual([]);
  await provider.apply(zone, [add], signal);
  expect(server.world.store.txt(add.name)).toEqual(['digest']);
});

it('does not say that the credentials are wrong where netcup loses a session, or counts mistakes', async () => {
  const front = createNetcupFront();
  const server = await startVendor(front, {});
  onTestFinished(() => server.stop());
  const provider = await providerAt({ definition: netcup, options }, server);
  front.loseSessions();
  await expect(provider.apply(zone, [add], signal)).rejects.toMatchObject({
    code: 'provider.unavailable',
    message: expect.stringContaining('The session id is not in a valid format.'),
  });
  front.blame();
  await expect(provider.apply(zone, [add], signal)).rejects.toMatchObject({ code: 'provider.throttled' });
});
