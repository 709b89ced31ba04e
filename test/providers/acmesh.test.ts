import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { acmesh } from '../../providers/acmesh.ts';
import { opaqueTraits } from '../../providers/opaque.ts';
import { describeVendor } from '../contract/vendor.ts';
import { canary } from '../support/canaries.ts';
import { recordsAccount } from '../support/dnsapi/account.ts';
import { createPluginContext, type TestContext } from '../support/plugin-context.ts';
import { allProcesses } from '../support/proc.ts';
import { createRecordsFront } from '../support/vendors/dnsapi-records.ts';
import { startVendor, type VendorServer } from '../support/vendors/server.ts';

const signal = new AbortController().signal;
const front = createRecordsFront(canary());

describeVendor({
  definition: {
    ...acmesh,
    traits: opaqueTraits({ cleanup: 'value', ttl: 60, propagationSeconds: 0 }),
    options: z
      .object({ baseUrl: z.string() })
      .transform(({ baseUrl }) => acmesh.options.parse(recordsAccount(baseUrl, front))),
  },
  front,
  options: {},
  wrongOptions: undefined,
  settings: (url) => recordsAccount(url, front),
  notApplicable: {
    listTxt: 'a script cannot list',
    findZone: 'a script looks for the zone itself',
    delegated: 'a script looks for the zone itself',
    missing: 'a script looks for the zone itself',
    withWrongCredentials: 'wrong credentials show only when a script makes a change',
    ttl: 'a script has a TTL of its own',
    large: 'a script cannot list',
  },
});

describe('acmesh', () => {
  let server: VendorServer;
  beforeAll(async () => {
    server = await startVendor(front, {});
  });
  afterAll(() => server.stop());

  const zone = { name: 'example.test' };
  const add = { op: 'add', name: '_acme-challenge.acmesh.example.test', value: 'digest', ttl: 60 } as const;
  const remove = { ...add, op: 'remove' } as const;

  function create(password = front.password, context: TestContext = createPluginContext('hook')) {
    return acmesh.create(acmesh.options.parse(recordsAccount(server.url, { ...front, password })), context);
  }

  it('logs in once: the session that the script saved serves the next call and the next process', async () => {
    const context = createPluginContext('hook');
    const before = front.logins();
    await (await create(front.password, context)).apply(zone, [add], signal);
    await (await create(front.password, context)).apply(zone, [remove], signal);
    expect(front.logins() - before).toBe(1);
    expect(server.world.store.txt(add.name)).toEqual([]);
  });

  it('knows from the last answer of the API that credentials are wrong, and tells no secret', async () => {
    const password = canary();
    const context = createPluginContext('hook');
    const provider = await create(password, context);
    await expect(provider.apply(zone, [add], signal)).rejects.toMatchObject({
      code: 'provider.auth',
      retry: 'blocked',
      message: /dns_records\.sh add .* after the API answered 401: Cannot log in as .* with \*\*\*: HTTP/,
    });
    expect(context.logged.join()).not.toContain(password);
  });

  it('knows from it that rights are missing', async () => {
    const provider = await create();
    await provider.apply(zone, [add], signal);
    server.deny(true);
    await expect(provider.apply(zone, [remove], signal)).rejects.toMatchObject({
      code: 'provider.forbidden',
    });
    server.deny(false);
    await provider.apply(zone, [remove], signal);
  });

  it('knows from it when to come again', async () => {
    const context = createPluginContext('hook');
    const provider = await create(front.password, context);
    server.throttleNext(7);
    const before = context.clock.now();
    const error = await provider.apply(zone, [add], signal).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'provider.throttled' });
    const { retryAt = 0 } = error as { retryAt?: number };
    expect(retryAt).toBeGreaterThanOrEqual(before + 7000);
    expect(retryAt).toBeLessThanOrEqual(context.clock.now() + 7000);
  });

  it('tells why the API could not be asked', async () => {
    const account = recordsAccount('http://127.0.0.1:1', front);
    const provider = await acmesh.create(acmesh.options.parse(account), createPluginContext('hook'));
    const { outcomes } = await provider.apply(zone, [add], signal);
    expect(outcomes).toMatchObject([
      { ok: false, error: { code: 'provider.unavailable', message: /curl: \(7\) Failed to connect/ } },
    ]);
  });

  it('shows no secret and no record in the arguments of any program', async () => {
    const provider = await create();
    const value = canary();
    const hang = server.hangNext();
    const running = provider.apply(zone, [{ ...add, value }], signal);
    await hang.reached;
    const commands = allProcesses().map(({ command }) => command);
    hang.release();
    await running;
    expect(commands.filter((command) => command.includes('curl -q -K'))).toHaveLength(1);
    expect(commands.join('\n')).not.toMatch(new RegExp(`${front.password}|${value}|session-`));
    await provider.apply(zone, [{ ...remove, value }], signal);
  });
});
