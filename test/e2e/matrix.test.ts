import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AgentSite } from '../support/agent.ts';
import { startPebble, type TestPebble } from '../support/pebble.ts';
import type { ServerProcess } from '../support/process.ts';
import { startProxy, type TestProxy } from '../support/proxy.ts';
import { explained, hostsSite, issued, issuerAt } from './given.ts';

/** One agent with three CAs, whose options are spread so that each is there once. */
let site: AgentSite;
let agent: ServerProcess;
let proxy: TestProxy;
let preferred: string;
const pebbles: TestPebble[] = [];

const day = 86_400_000;
const eab = { keyId: 'kid-1', hmacKey: 'zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W' };
const profiles = {
  default: { description: 'ninety days', validityPeriod: 7_776_000 },
  shortlived: { description: 'six days', validityPeriod: 518_400 },
};

const keyTypes = ['p256', 'p384', 'rsa2048', 'rsa3072', 'rsa4096'] as const;

interface Wish {
  readonly name: string;
  readonly [field: string]: unknown;
}

const wishes: readonly Wish[] = [
  ...keyTypes.map((keyType) => ({ name: `${keyType}.test`, keyTypes: [keyType] })),
  { name: 'both.test', keyTypes: ['p256', 'rsa2048'] },
  { name: 'short.test', profile: { name: 'shortlived', required: true } },
  { name: 'preferred.test', profile: 'nosuch' },
  { name: 'required.test', profile: { name: 'nosuch', required: true } },
  { name: 'chained.test', issuers: ['two'] },
  { name: 'missing.test', issuers: ['missing'] },
  { name: 'bound.test', issuers: ['three'] },
  { name: 'unbound.test', issuers: ['unbound'] },
];

const hostOf = ({ name }: { readonly name: string }) => `www.${name}`;

beforeAll(async () => {
  const one = await startPebble({ nonceReject: 0, chainLength: 1, profiles });
  const shared = { nonceReject: 0, profiles, httpPort: one.httpPort, dnsServer: one.dns?.dnsAddress };
  const two = await startPebble({ ...shared, chainLength: 2, alternateRoots: 2 });
  const three = await startPebble({ ...shared, chainLength: 3, eab: { [eab.keyId]: eab.hmacKey } });
  pebbles.push(one, two, three);
  proxy = await startProxy({ upstream: one.directoryUrl, caFile: one.caFile });
  const roots = await Promise.all(
    [0, 1, 2].map(async (index) => new X509Certificate(await two.rootPem(index))),
  );
  preferred = commonName(roots[2]?.subject ?? '');
  const domain = (wish: Wish) => ({
    mode: 'individual',
    challenge: 'http-01',
    hosts: [hostOf(wish)],
    ...wish,
  });
  site = await hostsSite({
    pebble: one,
    proxy,
    hosts: [],
    config: {
      issuers: {
        one: issuerAt(one, proxy),
        two: { ...issuerAt(two), preferredChain: preferred },
        missing: { ...issuerAt(two), preferredChain: 'No Such Root' },
        three: { ...issuerAt(three), eab },
        unbound: issuerAt(three),
      },
      defaults: { issuers: ['one'] },
      domains: wishes.map(domain),
    },
  });
  agent = await site.start();
});

afterAll(async () => {
  await agent?.stop();
  await proxy?.stop();
  for (const pebble of pebbles.reverse()) await pebble.stop();
});

/** What lies at the target for a label, the leaf first. */
function chainOf(domain: string, label: string): readonly X509Certificate[] {
  const text = readFileSync(join(site.folder, 'certificates', domain, label, 'fullchain.pem'), 'utf8');
  return text.split(/(?<=-----END CERTIFICATE-----\n)/).map((pem) => new X509Certificate(pem));
}

async function served(domain: string, suffix = ''): Promise<readonly X509Certificate[]> {
  const label = `www.${domain}${suffix}`;
  await issued(site, [label], { domain });
  return chainOf(domain, label);
}

function commonName(subject = ''): string {
  return /CN=(.*)/.exec(subject)?.[1] ?? '';
}

function keyOf(leaf: X509Certificate | undefined): string {
  const { asymmetricKeyType, asymmetricKeyDetails } = leaf?.publicKey ?? {};
  return `${asymmetricKeyType} ${asymmetricKeyDetails?.namedCurve ?? asymmetricKeyDetails?.modulusLength}`;
}

function daysOf(leaf: X509Certificate | undefined): number {
  return Math.round((Date.parse(leaf?.validTo ?? '') - Date.parse(leaf?.validFrom ?? '')) / day);
}

/** What was asked of the first CA for a name. */
function orderOf(name: string): unknown {
  const isFor = (payload: unknown) => JSON.stringify(payload ?? '').includes(`"${name}"`);
  return proxy.calls.find(({ kind, payload }) => kind === 'newOrder' && isFor(payload))?.payload;
}

describe('a key', () => {
  it.each([
    ['p256', '', 'ec prime256v1'],
    ['p384', '', 'ec secp384r1'],
    ['rsa2048', '.rsa', 'rsa 2048'],
    ['rsa3072', '.rsa', 'rsa 3072'],
    ['rsa4096', '.rsa', 'rsa 4096'],
  ])('of type %s is certified and lies beside its chain', async (keyType, suffix, key) => {
    const [leaf] = await served(`${keyType}.test`, suffix);
    expect(keyOf(leaf)).toBe(key);
    const file = join(
      site.folder,
      'certificates',
      `${keyType}.test`,
      `www.${keyType}.test${suffix}`,
      'privkey.pem',
    );
    expect(leaf?.checkPrivateKey(createPrivateKey(readFileSync(file)))).toBe(true);
  });

  it('of each class has its own certificate where a domain asks for both', async () => {
    const [[ec], [rsa]] = [await served('both.test'), await served('both.test', '.rsa')];
    expect([keyOf(ec), keyOf(rsa)]).toEqual(['ec prime256v1', 'rsa 2048']);
    expect(ec?.subjectAltName).toBe(rsa?.subjectAltName);
  });
});

describe('a profile', () => {
  it('that is required is ordered, and its lifetime respected', async () => {
    const [leaf] = await served('short.test');
    expect(daysOf(leaf)).toBe(6);
  });

  it('that is preferred is left out where the CA has none of that name', async () => {
    // What a CA takes then is its own affair: Pebble takes any.
    const [leaf] = await served('preferred.test');
    expect([6, 90]).toContain(daysOf(leaf));
    expect(orderOf('www.preferred.test')).not.toHaveProperty('profile');
    expect(orderOf('www.short.test')).toHaveProperty('profile', 'shortlived');
  });

  it('that is required and that the CA lacks is said, and nothing is ordered', async () => {
    await explained(site, 'www.required.test', /one has no profile "nosuch"; it offers .*shortlived/s);
    expect(orderOf('www.required.test')).toBeUndefined();
  });
});

describe('a chain', () => {
  it.each([
    ['p256.test', 1],
    ['chained.test', 2],
    ['bound.test', 3],
  ])(
    'of %s is deployed with its %i intermediates, each signed by the next',
    async (domain, intermediates) => {
      const chain = await served(domain);
      expect(chain).toHaveLength(1 + intermediates);
      for (const [index, above] of chain.slice(1).entries())
        expect(chain[index]?.verify(above.publicKey)).toBe(true);
    },
  );

  it('is the alternate one whose root is preferred', async () => {
    const chain = await served('chained.test');
    expect(commonName(chain.at(-1)?.issuer)).toBe(preferred);
  });

  it('is the usual one where the preferred root is none of the CA, and that is logged', async () => {
    const chain = await served('missing.test');
    expect(chain).toHaveLength(3);
    expect(commonName(chain.at(-1)?.issuer)).not.toBe(preferred);
    expect(agent.output()).toMatch(/"level":"warn"[^\n]*No Such Root/);
  });
});

describe('a CA that takes bound accounts only', () => {
  it('issues with the key that it gave to its customer', async () => {
    const [leaf] = await served('bound.test');
    expect(leaf?.subjectAltName).toBe('DNS:www.bound.test');
  });

  it('is not asked for an account without one, and that is said', async () => {
    await explained(site, 'www.unbound.test', /unbound only takes accounts that are bound to a customer/);
  });
});
