import type { DnsProvider, ZoneRef } from '../../src/core/provider.ts';
import type { DnsProviderDefinition } from '../../src/plugin/define.ts';
import { createPluginContext, hastyClock } from '../support/plugin-context.ts';
import { type Front, startVendor, type VendorOptions, type VendorServer } from '../support/vendors/server.ts';
import type { VendorZone } from '../support/vendors/world.ts';
import type { RrSet } from '../support/zone-store.ts';
import { describeProvider } from './dns-provider.ts';
import type { AccountSettings, LargeAccount, Part, ProviderUnderTest, Subject } from './subject.ts';

type Options = Readonly<Record<string, unknown>>;

/** Options, or what makes them for the stand-in at this URL. */
export type VendorAccount = Options | ((url: string) => Options);

/** A provider and the stand-in for its vendor. */
export interface VendorCase {
  // biome-ignore lint/suspicious/noExplicitAny: of any options, as each definition parses its own
  readonly definition: DnsProviderDefinition<any>;
  /** Name in the configuration, where that of the definition is one for the suite. */
  readonly provider?: string | undefined;
  readonly front: Front;
  /** Options of an account in the configuration file, `baseUrl` apart. */
  readonly options: VendorAccount;
  /** The same with wrong credentials; undefined: the vendor has none. */
  readonly wrongOptions: VendorAccount | undefined;
  /** The options of such an account for a stand-in at this URL, where `options` is not all that it has but `baseUrl`. */
  settings?(url: string): Options;
  /** The reference that `findZone` gives; default: the name and the vendor's id. */
  zoneRef?(zone: VendorZone): ZoneRef;
  /** What a request for a zone that is not there is told as; default `dns.zoneNotFound`. */
  readonly missingCode?: string | undefined;
  /** What a request that the account has no right to is told as; default `provider.forbidden`. */
  readonly rightsCode?: string | undefined;
  readonly server?: VendorOptions | undefined;
  /** `npm test` runs the slow points as well: for one provider of each write model. */
  readonly slow?: boolean | undefined;
  /** Parts of the suite that this vendor cannot have, each with the reason. */
  readonly notApplicable?: Readonly<Partial<Record<Part, string>>> | undefined;
}

/** The provider at a running stand-in. Pauses are short. */
export async function providerAt(
  { definition, options }: Pick<VendorCase, 'definition' | 'options'>,
  server: Pick<VendorServer, 'url'>,
  context = createPluginContext(definition.name, hastyClock),
): Promise<DnsProvider> {
  return definition.create(definition.options.parse(optionsAt(options, server.url)), context);
}

function optionsAt(options: VendorAccount, url: string): Options {
  return { baseUrl: url, ...(typeof options === 'function' ? options(url) : options) };
}

/** The whole suite for a vendor's provider, at its stand-in. */
export function describeVendor(vendor: VendorCase): void {
  describeProvider(vendor.definition.name, subjectOf(vendor));
}

function subjectOf(vendor: VendorCase): Subject {
  const { traits } = vendor.definition;
  return {
    traits,
    slow: vendor.slow,
    setup: async () => without(await setup(vendor), Object.keys(vendor.notApplicable ?? {})),
    notApplicable: {
      ...(vendor.wrongOptions === undefined && { withWrongCredentials: 'it has no credentials' }),
      ...vendor.notApplicable,
    },
  };
}

function without(subject: ProviderUnderTest, parts: readonly string[]): ProviderUnderTest {
  const absent = Object.fromEntries(parts.map((part) => [part, undefined]));
  return { ...subject, ...absent };
}

async function setup(vendor: VendorCase): Promise<ProviderUnderTest> {
  const { definition, wrongOptions, missingCode = 'dns.zoneNotFound' } = vendor;
  const { traits } = definition;
  const minTtl = traits.ttl.min;
  const publishDelayMs = traits.propagation.signal === 'api' ? 200 : 0;
  const records = standing('example.test');
  const server = await startVendor(vendor.front, { minTtl, publishDelayMs, records, ...vendor.server });
  const { store, zones } = server.world;
  const zoneRef = vendor.zoneRef ?? (({ name, id }: VendorZone): ZoneRef => ({ name, id }));
  const [first = { name: '', id: '', number: 0 }] = zones;
  const zone = zoneRef(first);
  const missing = zoneRef({ name: 'nowhere.test', id: 'f'.repeat(32), number: 9999 });
  const [provider, again] = [await providerAt(vendor, server), await providerAt(vendor, server)];
  const wrong =
    wrongOptions === undefined ? undefined : await providerAt({ definition, options: wrongOptions }, server);
  const setOf = (name: string) => server.world.txt(zone.name).find((set) => set.name === name);
  const refused = `_acme-challenge.refused.${zone.name}`;
  return {
    provider,
    zone,
    again: () => again,
    txt: async (name) => store.txt(name),
    async addForeign(name, value) {
      const held = setOf(name);
      const values = [...(held?.values ?? []), value];
      server.world.writeTxt(zone.name, { name, ttl: held?.ttl ?? 3600, values });
    },
    async removeForeign(name, value) {
      const held = setOf(name);
      if (held === undefined) return;
      const values = held.values.filter((other) => other !== value);
      server.world.writeTxt(zone.name, { ...held, values });
    },
    snapshot: async () =>
      store
        .held(zone.name)
        .map((set) => JSON.stringify(set))
        .join('\n'),
    stop: server.stop,
    delegated: { name: '_acme-challenge.www.sub.example.test', zone: 'sub.example.test' },
    missing: { zone: missing, code: missingCode },
    withWrongCredentials: wrong === undefined ? undefined : () => wrong,
    calls: () => server.calls.length,
    refused: { op: 'add', name: refused, value: 'digest', ttl: minTtl },
    throttleOnce: (retryAfterSeconds) => server.throttleNext(retryAfterSeconds),
    denyRights: () => {
      server.deny(true);
      return { code: vendor.rightsCode ?? 'provider.forbidden', restore: () => server.deny(false) };
    },
    failOnce: () => server.failNext(),
    shake: server.shake,
    loseAnswerOnce: server.loseNext,
    hangOnce: server.hangNext,
    ttl: async (name) => setOf(name)?.ttl,
    large: () => openLarge(vendor),
    server: { port: Number(new URL(server.url).port), account: (port) => settingsAt(vendor, port) },
    dns: `${server.dns.address}:${server.dns.port}`,
    aliases,
    ...(traits.propagation.signal === 'api' && {
      isPublished: async (name, value) => store.published(name, 'TXT')?.values.includes(value) === true,
    }),
  };
}

function settingsAt(
  { definition, provider = definition.name, options, settings }: VendorCase,
  port: number,
): AccountSettings {
  const url = `http://127.0.0.1:${port}`;
  return { provider, options: settings?.(url) ?? optionsAt(options, url) };
}

const aliases = {
  first: '_acme-challenge.delegated.example.test',
  end: 'proofs.sub.example.test',
  loop: '_acme-challenge.loop.example.test',
};

/** What the zone has before anybody changes it. */
function standing(zone: string): readonly RrSet[] {
  const set = (label: string, type: RrSet['type'], value: string): RrSet => {
    return { name: `${label}.${zone}`, type, ttl: 300, values: [value] };
  };
  return [
    set('_acme-challenge.delegated', 'CNAME', `second.${zone}`),
    set('second', 'CNAME', `third.${zone}`),
    set('third', 'CNAME', `proofs.sub.${zone}`),
    set('_acme-challenge.loop', 'CNAME', `back.${zone}`),
    set('back', 'CNAME', `_acme-challenge.loop.${zone}`),
    set('_acme-challenge.foreign', 'A', '192.0.2.1'),
    set('www', 'A', '192.0.2.2'),
  ];
}

/** Names of zones that begin and end alike. The one that is changed comes last, and so does what is looked for in it. */
async function openLarge(vendor: VendorCase): Promise<LargeAccount> {
  const zones = [
    'large.example.test',
    'zone-1.test',
    ...Array.from({ length: 115 }, (_, index) => `zone-${index + 2}.test`),
    'xexample.test',
    'large.test',
    'example.test',
  ];
  const values = 1500;
  const records = Array.from({ length: values }, (_, index) => ({
    name: `_acme-challenge.host-${index}.example.test`,
    type: 'TXT' as const,
    ttl: 3600,
    values: [`text ${index}`],
  }));
  const minTtl = vendor.definition.traits.ttl.min;
  const server = await startVendor(vendor.front, { minTtl, ...vendor.server, zones, records });
  const last = server.world.zones.at(-1) ?? { name: '', id: '', number: 0 };
  return {
    provider: await providerAt(vendor, server),
    zone: vendor.zoneRef?.(last) ?? { name: last.name, id: last.id },
    held: ['zone-11.test', 'zone-1.test', 'xexample.test', 'large.example.test', 'example.test'].map(
      (zone) => ({
        name: `_acme-challenge.www.${zone}`,
        zone,
      }),
    ),
    values,
    txt: async (name) => server.world.store.txt(name),
    stop: server.stop,
  };
}
