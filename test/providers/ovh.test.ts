import { describe, expect, it, onTestFinished } from 'vitest';
import { ovh } from '../../providers/ovh.ts';
import { signOvh } from '../../providers/ovh-auth.ts';
import { secret } from '../../src/core/secret.ts';
import { describeVendor, providerAt } from '../contract/vendor.ts';
import { createPluginContext } from '../support/plugin-context.ts';
import * as account from '../support/vendors/ovh.ts';
import { startVendor } from '../support/vendors/server.ts';

const signal = new AbortController().signal;
const zone = { name: 'example.test' };
const { applicationKey, applicationSecret, consumerKey, clientId, clientSecret } = account;
const keys = { applicationKey, applicationSecret, consumerKey };
const add = { op: 'add', name: '_acme-challenge.example.test', value: 'one', ttl: 60 } as const;

describeVendor({
  definition: ovh,
  front: account.createOvhFront(),
  options: keys,
  wrongOptions: { ...keys, consumerKey: 'wrong-consumer-key' },
  zoneRef: ({ name }) => ({ name }),
});

describe('ovh', () => {
  async function start(now?: () => number) {
    const front = account.createOvhFront(now);
    const server = await startVendor(front, {});
    onTestFinished(() => server.stop());
    const open = (options: object, context = createPluginContext('ovh')) =>
      providerAt({ definition: ovh, options: { ...options } }, server, context);
    return { front, server, open };
  }

  it('puts a whole batch into force by one refresh, also one that changes nothing', async () => {
    const { front, server, open } = await start();
    const provider = await open(keys);
    const refreshes = () => server.calls.filter((call) => call === 'POST /domain/zone/example.test/refresh');
    await provider.apply(zone, [add, { ...add, value: 'two' }, { ...add, value: 'three' }], signal);
    expect(refreshes()).toHaveLength(1);
    expect(front.stale.size).toBe(0);
    await provider.apply(zone, [add], signal);
    expect(refreshes()).toHaveLength(2);
  });

  it('asks OVHcloud for its time when the clock of this machine is wrong, once', async () => {
    const hours = 3 * 3_600_000;
    const { server, open } = await start(() => Date.now() + hours);
    const provider = await open(keys);
    await provider.check?.(signal);
    await provider.check?.(signal);
    const list = 'GET /domain/zone';
    expect(server.calls).toEqual([list, 'GET /auth/time', list, list]);
    // Also where many requests are refused at once.
    const crowd = await open(keys);
    await Promise.all(Array.from({ length: 5 }, () => crowd.check?.(signal)));
    expect(server.calls.filter((call) => call === 'GET /auth/time')).toHaveLength(2);
  });

  it('says that the keys are wrong where the time is not the reason, after it was asked for', async () => {
    const { server, open } = await start();
    const provider = await open({ ...keys, applicationSecret: 'wrong-secret' });
    await expect(provider.check?.(signal)).rejects.toMatchObject({ code: 'provider.auth' });
    expect(server.calls).toEqual(['GET /domain/zone', 'GET /auth/time', 'GET /domain/zone']);
  });

  it('takes a service account instead of keys: one token for all calls, another when it ends', async () => {
    const { front, server, open } = await start();
    const tokenUrl = `${server.url}/auth/oauth2/token`;
    const provider = await open({ clientId, clientSecret, tokenUrl });
    await provider.apply(zone, [add], signal);
    const tokens = () => server.calls.filter((call) => call === 'POST /auth/oauth2/token');
    expect(tokens()).toHaveLength(1);
    front.endTokens();
    await provider.check?.(signal);
    expect(tokens()).toHaveLength(2);
    const stranger = await open({ clientId, clientSecret: 'wrong-client-secret', tokenUrl });
    const error = await Promise.resolve(stranger.check?.(signal)).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'provider.auth' });
    expect(String(error)).not.toContain('wrong-client-secret');
  });

  it('signs as the documentation of the API describes it', () => {
    const request = { method: 'GET', url: new URL('https://eu.api.ovh.com/1.0/domains/'), body: undefined };
    const known = {
      applicationKey: '7kbG7Bk7S9Nt7ZSV',
      applicationSecret: secret('EXEgWIz07P0HYwtQDs7cNIqCiQaWSuHF'),
      consumerKey: secret('MtSwSrPpNjqfVSmJhLbPyr2i45lSwPU1'),
    };
    expect(signOvh({ ...request, headers: {} }, known, 1_366_560_945_000)).toMatchObject({
      'x-ovh-timestamp': '1366560945',
      'x-ovh-signature': '$1$d3705e8afb27a0d2970a322b96550abfc67bb798',
    });
  });

  it('takes keys or a service account, whole, and not both', () => {
    const isTaken = (options: object) => ovh.options.safeParse(options).success;
    expect(isTaken(keys)).toBe(true);
    expect(isTaken({ clientId, clientSecret })).toBe(true);
    for (const wrong of [{}, { ...keys, clientId, clientSecret }, { clientId }, { applicationKey }])
      expect(isTaken(wrong)).toBe(false);
  });
});
