import type { RrSet, RrType } from '../zone-store.ts';
import type { Answer, Front, Incoming } from './server.ts';
import type { World } from './world.ts';

/**
 * Namecheap's XML API, as https://www.namecheap.com/support/api/methods/ has it: domains.getList (pages),
 * domains.dns.getHosts, domains.dns.setHosts (what is not named is deleted), errors by number with the status 200.
 */
export const account = {
  apiUser: 'emulated-user',
  apiKey: 'emulated-namecheap-key',
  clientIp: '192.0.2.10',
};

export interface Host {
  readonly name: string;
  readonly type: string;
  readonly address: string;
  readonly mxPref: string;
  readonly ttl: string;
}

/** What a domain has beside what the DNS server of the emulator knows. */
export interface Extras {
  emailType: string;
  hosts: readonly Host[];
}

const extras = new WeakMap<World, Map<string, Extras>>();

export function extrasOf(world: World, zone: string): Extras {
  const known = extras.get(world) ?? new Map<string, Extras>();
  extras.set(world, known);
  const own = known.get(zone) ?? { emailType: 'MX', hosts: standing };
  known.set(zone, own);
  return own;
}

const standing: readonly Host[] = [
  { name: '@', type: 'MX', address: 'mail.example.test.', mxPref: '20', ttl: '1800' },
  { name: 'old', type: 'URL301', address: 'https://www.example.test/?a=1&b="2"', mxPref: '10', ttl: '1799' },
];

export const namecheapFront: Front = {
  isAuthorized({ text, query }) {
    if (query.size > 0) return false;
    const form = new URLSearchParams(text);
    return (
      form.get('ApiUser') === account.apiUser &&
      form.get('UserName') === account.apiUser &&
      form.get('ApiKey') === account.apiKey &&
      form.get('ClientIp') === account.clientIp
    );
  },
  refusal(why) {
    if (why === 'credentials')
      return refuse(1011102, 'API Key is invalid or API access has not been enabled');
    if (why === 'rights') return refuse(1016103, 'Parameter UserName is unauthorized');
    if (why === 'haste') return refuse(500000, 'Too many requests');
    return { status: 502, text: '<html>Bad Gateway</html>' };
  },
  routes: (world) => [
    {
      method: 'POST',
      path: '/xml.response',
      writes: ({ text }) => text.includes('setHosts'),
      run({ text }: Incoming) {
        const form = new URLSearchParams(text);
        const command = form.get('Command')?.replace('namecheap.domains.', '');
        if (command === 'getList') return getList(world, form);
        const zone = world.zone(`${form.get('SLD')}.${form.get('TLD')}`);
        if (zone === undefined) return refuse(2019166, `Domain not found: ${form.get('SLD')}`);
        return command === 'dns.setHosts' ? setHosts(world, zone.name, form) : getHosts(world, zone.name);
      },
    },
  ],
};

function getList(world: World, form: URLSearchParams): Answer {
  const [page, size] = [Number(form.get('Page') ?? 1), Number(form.get('PageSize') ?? 20)];
  if (size < 10 || size > 100) return refuse(2050900, 'Invalid PageSize');
  const shown = world.zones.slice((page - 1) * size, page * size);
  const domains = shown.map(
    ({ name, number }) =>
      `<Domain ID="${number}" Name="${name}" User="u" IsExpired="false" IsOurDNS="true"/>`,
  );
  return ok(
    `<DomainGetListResult>${domains.join('')}</DomainGetListResult>
    <Paging><TotalItems>${world.zones.length}</TotalItems><CurrentPage>${page}</CurrentPage><PageSize>${size}</PageSize></Paging>`,
  );
}

function getHosts(world: World, zone: string): Answer {
  const { emailType, hosts } = extrasOf(world, zone);
  const own = world.records(zone).filter(({ type }) => type !== 'SOA' && type !== 'NS');
  const all = [
    ...own.map(({ name, type, ttl, value }) => toHost({ name, type, ttl, values: [value] }, zone)),
    ...hosts,
  ];
  const lines = all.map(
    (host, index) =>
      `<host HostId="${index + 1}" Name="${host.name}" Type="${host.type}" Address="${encodeEntities(host.address)}" MXPref="${host.mxPref}" TTL="${host.ttl}" AssociatedAppTitle="" FriendlyName="" IsActive="true" IsDDNSEnabled="false"/>`,
  );
  return ok(
    `<DomainDNSGetHostsResult Domain="${zone}" EmailType="${emailType}" IsUsingOurDNS="true">${lines.join('')}</DomainDNSGetHostsResult>`,
  );
}

function setHosts(world: World, zone: string, form: URLSearchParams): Answer {
  const hosts: Host[] = [];
  for (let number = 1; form.has(`HostName${number}`); number++) {
    const at = (key: string) => form.get(`${key}${number}`) ?? '';
    const [name, type, address] = [at('HostName'), at('RecordType'), at('Address')];
    hosts.push({ name, type, address, mxPref: at('MXPref'), ttl: at('TTL') || '1800' });
  }
  const sets = new Map<string, RrSet>();
  for (const host of hosts.filter(({ type }) => !['MX', 'URL301'].includes(type))) {
    const set = toSet(host, zone);
    const problem = set.type === 'TXT' ? world.problem(zone, set) : undefined;
    if (problem !== undefined) return refuse(2050900, problem);
    const key = `${set.name} ${set.type}`;
    const values = [...(sets.get(key)?.values ?? []), ...set.values];
    if (new Set(values).size < values.length) return refuse(2050900, 'Duplicate record');
    sets.set(key, { ...set, values });
  }
  const gone = world.store
    .held(zone)
    .filter(({ name, type }) => type !== 'SOA' && type !== 'NS' && !sets.has(`${name} ${type}`));
  void world.store.write(zone, [...gone.map((set) => ({ ...set, values: [] })), ...sets.values()]);
  const own = extrasOf(world, zone);
  own.emailType = form.get('EmailType') ?? 'NONE';
  own.hosts = hosts.filter(({ type }) => ['MX', 'URL301'].includes(type));
  return ok(`<DomainDNSSetHostsResult Domain="${zone}" IsSuccess="true" />`);
}

function toHost({ name, type, ttl, values: [value = ''] }: RrSet, zone: string): Host {
  const relative = name === zone ? '@' : name.slice(0, -zone.length - 1);
  const address = type === 'CNAME' ? `${value}.` : value;
  return { name: relative, type, address, mxPref: '10', ttl: String(ttl) };
}

function toSet({ name, type, address, ttl }: Host, zone: string): RrSet {
  const value = type === 'CNAME' ? address.replace(/\.$/, '') : address;
  return {
    name: name === '@' ? zone : `${name}.${zone}`,
    type: type as RrType,
    ttl: Number(ttl),
    values: [value],
  };
}

function encodeEntities(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;');
}

function ok(response: string): Answer {
  return answer(`<Errors /><CommandResponse>${response}</CommandResponse>`, 'OK');
}

function refuse(number: number, message: string): Answer {
  return answer(`<Errors><Error Number="${number}">${message}</Error></Errors>`, 'ERROR');
}

function answer(body: string, status: 'OK' | 'ERROR'): Answer {
  const head = `<?xml version="1.0" encoding="utf-8"?><ApiResponse Status="${status}" xmlns="http://api.namecheap.com/xml.response">`;
  return { status: 200, text: `${head}${body}</ApiResponse>`, headers: { 'content-type': 'text/xml' } };
}
