import type { RrSet } from './zone-store.ts';

/** Values as the API writes them. */
export interface QuotedSet extends RrSet {
  readonly setIdentifier?: string | undefined;
}

interface ListedZone {
  readonly name: string;
  readonly id: string;
  readonly private?: boolean | undefined;
}

const namespace = 'xmlns="https://route53.amazonaws.com/doc/2013-04-01/"';
const maxPage = 300;
const maxZonesPage = 100;

export function errorXml(code: string, message: string): string {
  const error = `<Error><Type>Sender</Type><Code>${code}</Code><Message>${escapeXml(message)}</Message></Error>`;
  return `<?xml version="1.0"?><ErrorResponse ${namespace}>${error}<RequestId>r</RequestId></ErrorResponse>`;
}

export function changeInfoXml(root: string, id: string, status: string): string {
  const info = `<Id>/change/${id}</Id><Status>${status}</Status><SubmittedAt>2026-01-01T00:00:00Z</SubmittedAt>`;
  return document(root, `<ChangeInfo>${info}</ChangeInfo>`);
}

export function hostedZoneXml(zone: ListedZone): string {
  return document('GetHostedZoneResponse', zoneXml(zone));
}

/** Ordered by reversed labels, from the name asked for, not only those of that name. */
export function hostedZonesByNameXml(zones: readonly ListedZone[], query: URLSearchParams): string {
  const from = orderOf(query.get('dnsname') ?? '');
  const size = Math.min(Number(query.get('maxitems') ?? maxZonesPage), maxZonesPage);
  const rest = [...zones]
    .sort((a, b) => byText(orderOf(a.name), orderOf(b.name)))
    .filter((zone) => orderOf(zone.name) >= from);
  const list = `<HostedZones>${rest.slice(0, size).map(zoneXml).join('')}</HostedZones>`;
  const next = rest[size];
  const more = next === undefined ? '' : `<NextDNSName>${next.name}.</NextDNSName>`;
  return document('ListHostedZonesByNameResponse', `${list}${pageXml(next !== undefined, size)}${more}`);
}

export function recordSetsXml(sets: readonly QuotedSet[], query: URLSearchParams): string {
  const from = [orderOf(query.get('name') ?? ''), query.get('type') ?? ''] as const;
  const size = Math.min(Number(query.get('maxitems') ?? maxPage), maxPage);
  const rest = [...sets]
    .sort((a, b) => byText(orderOf(a.name), orderOf(b.name)) || byText(a.type, b.type))
    .filter((set) => {
      const order = orderOf(set.name);
      return order > from[0] || (order === from[0] && set.type >= from[1]);
    });
  const next = rest[size];
  const more =
    next === undefined
      ? ''
      : `<NextRecordName>${escapeName(next.name)}</NextRecordName><NextRecordType>${next.type}</NextRecordType>`;
  const list = rest.slice(0, size).map(recordSetXml).join('');
  return document(
    'ListResourceRecordSetsResponse',
    `<ResourceRecordSets>${list}</ResourceRecordSets>${pageXml(next !== undefined, size)}${more}`,
  );
}

export function unescapeXml(text: string): string {
  return text
    .replaceAll('&quot;', '"')
    .replaceAll('&apos;', "'")
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&');
}

function zoneXml(zone: ListedZone): string {
  const config = `<Config><PrivateZone>${zone.private === true}</PrivateZone></Config>`;
  return `<HostedZone><Id>/hostedzone/${zone.id}</Id><Name>${zone.name}.</Name><CallerReference>r</CallerReference>${config}</HostedZone>`;
}

function recordSetXml({ name, type, ttl, values, setIdentifier }: QuotedSet): string {
  const records = values
    .map((value) => `<ResourceRecord><Value>${escapeXml(value)}</Value></ResourceRecord>`)
    .join('');
  const routing =
    setIdentifier === undefined
      ? ''
      : `<SetIdentifier>${setIdentifier}</SetIdentifier><MultiValueAnswer>true</MultiValueAnswer>`;
  return `<ResourceRecordSet><Name>${escapeName(name)}</Name><Type>${type}</Type>${routing}<TTL>${ttl}</TTL><ResourceRecords>${records}</ResourceRecords></ResourceRecordSet>`;
}

function document(root: string, content: string): string {
  return `<?xml version="1.0"?><${root} ${namespace}>${content}</${root}>`;
}

function pageXml(truncated: boolean, size: number): string {
  return `<IsTruncated>${truncated}</IsTruncated><MaxItems>${size}</MaxItems>`;
}

function escapeName(name: string): string {
  return `${name.replaceAll('*', '\\052')}.`;
}

function orderOf(name: string): string {
  return name.toLowerCase().replace(/\.$/, '').split('.').reverse().join('\u0001');
}

function byText(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
