import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { httpreq } from '../../providers/httpreq.ts';
import { describeVendor } from '../contract/vendor.ts';
import { canary } from '../support/canaries.ts';
import { createPluginContext } from '../support/plugin-context.ts';
import { createHttpreqFront } from '../support/vendors/httpreq.ts';
import { startVendor } from '../support/vendors/server.ts';

const signal = new AbortController().signal;
const zone = { name: 'example.test' };
const add = { op: 'add', name: '_acme-challenge.example.test', value: 'digest', ttl: 60 } as const;
const password = canary();
const front = createHttpreqFront('a user', password);

describeVendor({
  definition: {
    ...httpreq,
    options: z
      .looseObject({ baseUrl: z.string() })
      .transform(({ baseUrl, ...more }) => httpreq.options.parse({ endpoint: `${baseUrl}/dns/`, ...more })),
  },
  front,
  options: { username: 'a user', password },
  wrongOptions: undefined,
  settings: (url) => ({ endpoint: `${url}/dns/`, username: 'a user', password }),
  slow: true,
  notApplicable: {
    listTxt: 'its protocol cannot list',
    findZone: 'its protocol knows no zones',
    delegated: 'its protocol knows no zones',
    missing: 'its protocol knows no zones',
    withWrongCredentials: 'its protocol has nothing to ask without a change',
    ttl: 'its protocol has no TTLs',
    large: 'its protocol cannot list',
  },
});

describe('httpreq', () => {
  const create = (options: object) =>
    httpreq.create(httpreq.options.parse(options), createPluginContext('httpreq'));

  it('says that the server refuses the password, without it', async () => {
    const server = await startVendor(front, {});
    const wrong = canary();
    const account = { endpoint: `${server.url}/dns`, username: 'a user', password: wrong };
    const error = await (await create(account)).apply(zone, [add], signal).catch((reason: unknown) => reason);
    const none = await create({ endpoint: `${server.url}/dns` });
    await expect(none.apply(zone, [add], signal)).rejects.toMatchObject({ code: 'provider.auth' });
    await server.stop();
    expect(error).toMatchObject({
      code: 'provider.auth',
      retry: 'blocked',
      message: /refused for credentials/,
    });
    expect(String(error)).not.toContain(wrong);
  });

  it('says before the first order that nothing answers', async () => {
    const provider = await create({ endpoint: 'http://127.0.0.1:1/dns' });
    await expect(provider.check?.(signal)).rejects.toMatchObject({
      code: 'provider.unavailable',
      message: /^the server 127\.0\.0\.1:1 does not answer: /,
    });
    await expect(provider.apply(zone, [add], signal)).rejects.toMatchObject({ code: 'provider.unavailable' });
  });

  it('takes a username only with a password, and a plain URL only', () => {
    const paths = (options: object) =>
      httpreq.options.safeParse(options).error?.issues.map(({ path }) => path.join('.'));
    expect(paths({ endpoint: 'https://dns.test', username: 'a' })).toEqual(['']);
    expect(paths({ endpoint: 'ftp://dns.test' })).toEqual(['endpoint']);
    expect(paths({ endpoint: 'https://a:b@dns.test' })).toEqual(['endpoint']);
    expect(paths({ endpoint: 'https://dns.test/httpreq' })).toBeUndefined();
  });
});
