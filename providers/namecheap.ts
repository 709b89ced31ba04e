import { z } from 'zod';
import { AgentError, type ErrorCode } from '../src/core/errors.ts';
import type { DnsProvider, ProviderTraits, ZoneRef } from '../src/core/provider.ts';
import type { PluginContext } from '../src/plugin/context.ts';
import { defineDnsProvider } from '../src/plugin/define.ts';
import { baseUrlOption, secretText, ttlOption, withTtl } from '../src/plugin/fields.ts';
import { nextNumber, readPages } from '../src/plugin/pages.ts';
import { createVendorApi, type VendorAnswer, type VendorFault } from '../src/plugin/vendor-api.ts';
import { absoluteName, longestZone } from '../src/plugin/zones.ts';
import { applyChange, type Host, parametersOf, toHost } from './namecheap-hosts.ts';
import { readElements } from './namecheap-xml.ts';

const ttl = { min: 60, preferred: 60 };

const options = z.strictObject({
  apiUser: z.string().min(1).describe('Name of the user.'),
  apiKey: secretText().describe('API key of the user.'),
  clientIp: z
    .ipv4()
    .describe('The IPv4 address of this machine as Namecheap sees it; it must be on the whitelist there.'),
  ttl: ttlOption({ ...ttl, max: 60_000 }),
  baseUrl: baseUrlOption('https://api.namecheap.com').describe(
    'Another URL of the API, such as https://api.sandbox.namecheap.com.',
  ),
});

type Options = z.infer<typeof options>;

const minute = 60;
const hour = 3600;
const day = 86_400;
/** One call of ours reads and writes. */
const perCall = 2;

const traits: ProviderTraits = {
  model: 'zone-replace',
  serialize: 'zone',
  batch: { maxChanges: 100, atomic: true },
  maxValuesPerName: Number.POSITIVE_INFINITY,
  removeIsExact: true,
  // Of a key: 50 requests a minute, 700 an hour, 8,000 a day.
  rate: [
    { bucket: 'minute', perSecond: 50 / perCall / minute, burst: 20, costOf: 'call' },
    { bucket: 'hour', perSecond: 700 / perCall / hour, burst: 300, costOf: 'call' },
    { bucket: 'day', perSecond: 8000 / perCall / day, burst: 4000, costOf: 'call' },
  ],
  ttl,
  propagation: { signal: 'authoritative', typicalMs: 60_000, timeoutMs: 3_600_000 },
};

export const namecheap = defineDnsProvider<Options>({
  name: 'namecheap',
  title: 'Namecheap',
  docs: 'https://www.namecheap.com/support/api/methods/domains-dns/set-hosts/',
  credentials: 'https://ap.www.namecheap.com/settings/tools/apiaccess/',
  options,
  traits,
  leastPrivilege:
    'A key is good for the whole account. Allow no address but that of this machine under\nProfile / Tools / API Access / Whitelisted IPs.',
  notes: [
    'The API only knows all records of a domain at once: they are read, changed and written back, with mail settings, priorities and TTLs. A change that somebody else makes between reading and writing is lost; let nobody else write to the domain while certificates are issued.',
    'Whether "dynamic DNS" flags and labels of records survive could not be confirmed: the API does not take them.',
    'The key is sent in the body of each request, never in a URL; that the commands for reading take it there could not be confirmed.',
    'Namecheap opens its API to accounts with 20 domains, a balance of $50 or purchases of $50 in two years.',
    'Only domains that use the DNS servers of Namecheap are used. Zones are whole domains as they are registered.',
  ],
  create,
});

interface Hosts {
  readonly emailType: string;
  readonly hosts: readonly Host[];
}

/** By the number of the error; others are refusals of what was asked. */
const codes: readonly (readonly [ErrorCode, RegExp])[] = [
  // Parameters of the account that are missing, wrong, locked, or from an address that is not allowed.
  ['provider.auth', /^(?:10101\d\d|10111\d\d|1017\d{3}|1019103|1030408)$/],
  ['provider.forbidden', /^1016103$/],
  // Not found, not of this account, or with other DNS servers.
  ['dns.zoneNotFound', /^(?:2016166|2019166|2030166|2030288)$/],
  ['provider.throttled', /^500000$/],
  ['provider.unavailable', /^(?:1050900|3031510|3050900|4023330|5050900)$/],
];

const pageSize = 100;

function create(config: Options, context: PluginContext): DnsProvider {
  const api = createVendorApi(
    {
      vendor: 'Namecheap',
      baseUrl: config.baseUrl,
      secrets: [config.apiKey],
      fault,
      remedies: {
        'provider.auth': `check apiUser and apiKey, and that ${config.clientIp} is on the whitelist of the API`,
      },
    },
    context,
  );

  /** By POST: the key must not stand in a URL. */
  async function call(command: string, { doing, parameters, zone }: Command, signal: AbortSignal) {
    const form = {
      ApiUser: config.apiUser,
      ApiKey: config.apiKey.reveal(),
      UserName: config.apiUser,
      ClientIp: config.clientIp,
      Command: `namecheap.domains.${command}`,
      ...parameters,
    };
    const request = { doing, path: '/xml.response', form, zone: zone?.name, maxBytes: 4 * 1024 * 1024 };
    const { text } = await api.send(request, signal);
    return readElements(text);
  }

  async function listDomains(signal: AbortSignal): Promise<readonly ZoneRef[]> {
    return readPages(1, async (page) => {
      const parameters = { Page: String(page), PageSize: String(pageSize) };
      const elements = await call('getList', { doing: 'to list the domains', parameters }, signal);
      const items = elements
        .filter(({ name, attributes }) => name === 'domain' && attributes.isourdns !== 'false')
        .map(({ attributes }) => ({ name: (attributes.name ?? '').toLowerCase() }));
      const total = Number(elements.find(({ name }) => name === 'totalitems')?.text ?? 0);
      return { items, next: nextNumber(page, { pages: Math.ceil(total / pageSize) }) };
    });
  }

  async function readHosts(zone: ZoneRef, signal: AbortSignal): Promise<Hosts> {
    const doing = `to list the records of ${zone.name}`;
    const elements = await call('dns.getHosts', { doing, parameters: partsOf(zone), zone }, signal);
    const result = elements.find(({ name }) => name === 'domaindnsgethostsresult')?.attributes;
    if (result === undefined)
      throw new AgentError(
        'provider.unavailable',
        `Namecheap was asked ${doing} and answers something else; check "baseUrl"`,
      );
    if (result.isusingourdns === 'false')
      throw new AgentError(
        'dns.zoneNotFound',
        `${zone.name} does not use the DNS servers of Namecheap; set them there`,
      );
    return {
      emailType: result.emailtype ?? '',
      hosts: elements.filter(({ name }) => name === 'host').map(toHost),
    };
  }

  /** What is not named in it is deleted. */
  async function writeHosts(zone: ZoneRef, { emailType, hosts }: Hosts, signal: AbortSignal): Promise<void> {
    const numbered = hosts.flatMap((host, index) => parametersOf(host, index + 1));
    const parameters = {
      ...partsOf(zone),
      ...(emailType !== '' && { EmailType: emailType }),
      ...Object.fromEntries(numbered),
    };
    const doing = `to change the records of ${zone.name}`;
    const elements = await call('dns.setHosts', { doing, parameters, zone }, signal);
    const result = elements.find(({ name }) => name === 'domaindnssethostsresult')?.attributes;
    if (result?.issuccess === 'true') return;
    throw new AgentError('provider.unavailable', `Namecheap does not say that it was done ${doing}`);
  }

  return {
    traits: withTtl(traits, config.ttl),
    findZone: async (name, signal) => longestZone(name, await listDomains(signal)),
    async apply(zone, changes, signal) {
      const before = await readHosts(zone, signal);
      const hosts = changes.reduce((list, change) => applyChange(list, change, zone.name), before.hosts);
      if (hosts !== before.hosts) await writeHosts(zone, { ...before, hosts }, signal);
      return { outcomes: changes.map(() => ({ ok: true })) };
    },
    async listTxt(zone, names, signal) {
      const { hosts } = await readHosts(zone, signal);
      return hosts
        .filter(({ type }) => type === 'TXT')
        .map((host) => ({
          name: absoluteName(host.name, zone.name),
          value: host.address,
          ttl: Number(host.ttl),
        }))
        .filter(({ name }) => names === undefined || names.includes(name));
    },
    async check(signal) {
      if ((await listDomains(signal)).length > 0) return;
      throw new AgentError(
        'provider.forbidden',
        'this Namecheap account has no domain that uses the DNS servers of Namecheap',
      );
    },
  };
}

interface Command {
  readonly doing: string;
  readonly parameters: Readonly<Record<string, string>>;
  readonly zone?: ZoneRef | undefined;
}

/** As the API wants a domain: what was registered, and below what. */
function partsOf({ name }: ZoneRef): { readonly SLD: string; readonly TLD: string } {
  const [first = ''] = name.split('.');
  return { SLD: first, TLD: name.slice(first.length + 1) };
}

/** All errors come with the status of success. */
function fault({ status, text }: VendorAnswer): VendorFault | undefined {
  const elements = readElements(text);
  const state = elements.find(({ name }) => name === 'apiresponse')?.attributes.status;
  if (state === undefined || state === 'OK') return undefined;
  const errors = elements.filter(({ name }) => name === 'error');
  const isOneOf = (pattern: RegExp) => errors.some(({ attributes }) => pattern.test(attributes.number ?? ''));
  const [known] = codes.find(([, pattern]) => isOneOf(pattern)) ?? [];
  return {
    code: known ?? (status >= 500 ? 'provider.unavailable' : 'provider.invalid'),
    words: errors.map(({ attributes, text: words }) => `${words} [${attributes.number}]`).join('; '),
  };
}
