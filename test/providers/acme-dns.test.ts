import { createHash } from 'node:crypto';
import { describe, expect, it, onTestFinished } from 'vitest';
import { acmeDns } from '../../providers/acme-dns.ts';
import { describeVendor, providerAt } from '../contract/vendor.ts';
import { createPluginContext, hastyClock } from '../support/plugin-context.ts';
import { createAcmeDnsFront, type Registered } from '../support/vendors/acme-dns.ts';
import { startVendor } from '../support/vendors/server.ts';

const signal = new AbortController().signal;
const password = 'emulated-acme-dns-password';
/** Of the hasty clock. */
const secondMs = 50;
/** All agents of one store. */
const { state } = createPluginContext('acme-dns');

const numbered = (label: string, count: number) => Array.from({ length: count }, (_, at) => `${label}-${at}`);
const labels = [
  ...['one', 'two', 'many', 'again', 'never', 'restart', 'a.b.c.d', 'xn--bcher-kva', 'deep.below'],
  ...['auth', 'calm', 'haste', 'fault', 'lost', 'abort', 'lag', 'killed'],
  ...[...numbered('bulk', 10), ...numbered('shared', 10), ...numbered('order', 20), ...numbered('shaken', 6)],
];
/** The names of the suite stand for the random ones that a server gives. */
const names = [
  '_acme-challenge.example.test',
  ...labels.map((label) => `_acme-challenge.${label}.example.test`),
  'proofs.sub.example.test',
];
const registered = names.map((fulldomain): Registered => {
  const subdomain = fulldomain.replace(/\.(?:sub\.)?example\.test$/, '');
  return { username: `user of ${subdomain}`, password, subdomain, fulldomain };
});
const byDomain = (change: Partial<Registered> = {}) =>
  Object.fromEntries(registered.map((one, index) => [`domain-${index}.test`, { ...one, ...change }]));

describeVendor({
  definition: { ...acmeDns, create: (options, context) => acmeDns.create(options, { ...context, state }) },
  front: createAcmeDnsFront({ registrations: registered, anyText: true, secondMs }),
  options: { registrations: byDomain() },
  wrongOptions: { registrations: byDomain({ password: 'wrong-password' }) },
  zoneRef: ({ name }) => ({ name }),
  notApplicable: {
    anyText: 'it takes the digests of challenges and no other text',
    listTxt: 'it has no lists',
    large: 'it has no lists',
    delegated: 'a server has one zone',
    denyRights: 'a registration has one right',
    ttl: 'its TTL is fixed',
  },
});

describe('acme-dns', () => {
  const zone = { name: 'example.test' };
  const digestOf = (text: string) => createHash('sha256').update(text).digest('base64url');
  const fulldomain = '8e5700ea.example.test';
  const registration = { username: 'a user', password, subdomain: '8e5700ea', fulldomain };
  const options = { registrations: { 'shop.test': registration } };

  async function start(more: object = {}) {
    const front = createAcmeDnsFront({ registrations: [registration], secondMs });
    const server = await startVendor(front, {});
    onTestFinished(() => server.stop());
    const context = createPluginContext('acme-dns', hastyClock);
    const open = () => providerAt({ definition: acmeDns, options: { ...options, ...more } }, server, context);
    const provider = await open();
    const change = (op: 'add' | 'remove', text: string, by = provider) =>
      by.apply(zone, [{ op, name: fulldomain, value: digestOf(text), ttl: 1 }], signal);
    const shown = () => [...server.world.store.txt(fulldomain)].sort();
    return { front, server, open, provider, change, shown };
  }

  it('never lets go of a value that is in use, whatever came and went since, by whichever agent', async () => {
    const { front, open, change, shown } = await start();
    const other = await open();
    await change('add', 'long');
    for (const short of ['first', 'second', 'third']) {
      await change('add', short, other);
      expect(shown()).toEqual([digestOf('long'), digestOf(short)].sort());
      await change('remove', short, other);
    }
    for (const values of front.served) expect(values).toContain(digestOf('long'));
    await change('remove', 'long');
    await change('add', 'last');
    expect(shown()).toContain(digestOf('last'));
  });

  it('keeps the value in use also when an answer was lost and the other one is put again', async () => {
    const { front, server, change, shown } = await start();
    await change('add', 'in use');
    server.loseNext();
    await change('add', 'new').catch(() => change('add', 'new'));
    expect(shown()).toEqual([digestOf('in use'), digestOf('new')].sort());
    for (const values of front.served) expect(values).toContain(digestOf('in use'));
  });

  it('says which CNAME to add, once the name does not lead to the server', async () => {
    const { provider, server } = await start();
    const name = '_acme-challenge.shop.test';
    await expect(provider.findZone?.(name, signal)).rejects.toMatchObject({
      code: 'dns.zoneNotFound',
      retry: 'blocked',
      message: expect.stringContaining(`add the record "${name}. CNAME ${fulldomain}." to its zone`),
    });
    expect(await provider.findZone?.('shop.test', signal)).toBeUndefined();
    expect(await provider.findZone?.('_acme-challenge.other.test', signal)).toBeUndefined();
    expect(await provider.findZone?.(fulldomain, signal)).toEqual(zone);
    expect(server.calls).toEqual([]);
  });

  it('registers a name that has no registration where it may, once, and writes to it later', async () => {
    const { front, open, server } = await start({ register: true, allowFrom: ['192.0.2.0/24'] });
    const name = '_acme-challenge.new.test';
    for (const provider of [await open(), await open()])
      await expect(provider.findZone?.(name, signal)).rejects.toMatchObject({ code: 'dns.zoneNotFound' });
    expect(server.calls).toEqual(['POST /register']);
    const made = front.registrations.at(-1)?.fulldomain ?? '';
    const provider = await open();
    expect(await provider.findZone?.(made, signal)).toEqual(zone);
    await provider.apply(zone, [{ op: 'add', name: made, value: digestOf('x'), ttl: 1 }], signal);
    expect(server.world.store.txt(made)).toEqual([digestOf('x')]);
  });

  it('says of a text that is no digest, and of a registration that is refused, what the server says', async () => {
    const { provider, server } = await start();
    const short = { op: 'add', name: fulldomain, value: 'short', ttl: 1 } as const;
    await expect(provider.apply(zone, [short], signal)).rejects.toMatchObject({
      code: 'provider.invalid',
      message: expect.stringContaining('bad_txt'),
    });
    const wrong = { registrations: { 'shop.test': { ...registration, password: 'not-the-password' } } };
    const stranger = await providerAt({ definition: acmeDns, options: wrong }, server);
    const error = await Promise.resolve(stranger.check?.(signal)).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'provider.auth', message: /the networks that it allows$/ });
    expect(String(error)).not.toContain('not-the-password');
  });
});
