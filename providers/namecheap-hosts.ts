import type { TxtChange } from '../src/core/provider.ts';
import { relativeName } from '../src/plugin/zones.ts';
import type { XmlElement } from './namecheap-xml.ts';

/** A record as getHosts lists it. */
export interface Host {
  readonly name: string;
  readonly type: string;
  readonly address: string;
  readonly mxPref: string;
  readonly ttl: string;
  readonly flag: string | undefined;
  readonly tag: string | undefined;
}

/** With one change made; the same list where nothing is to be done. */
export function applyChange(
  hosts: readonly Host[],
  { op, name, value, ttl: seconds }: TxtChange,
  zone: string,
): readonly Host[] {
  const relative = relativeName(name, zone, '@');
  const isIt = (host: Host) =>
    host.type === 'TXT' && host.name.toLowerCase() === relative && host.address === value;
  const there = hosts.some(isIt);
  if (op === 'remove') return there ? hosts.filter((host) => !isIt(host)) : hosts;
  const host = {
    name: relative,
    type: 'TXT',
    address: value,
    mxPref: '10',
    ttl: String(seconds),
    flag: undefined,
    tag: undefined,
  };
  return there ? hosts : [...hosts, host];
}

export function toHost({ attributes }: XmlElement): Host {
  const { name = '', type = '', address = '', mxpref = '10', ttl: seconds = '1800', flag, tag } = attributes;
  return { name, type, address, mxPref: mxpref, ttl: seconds, flag, tag };
}

/** As setHosts takes it, which numbers them. */
export function parametersOf(
  { name, type, address, mxPref, ttl: seconds, flag, tag }: Host,
  number: number,
): [string, string][] {
  const pairs = {
    HostName: name,
    RecordType: type,
    Address: address,
    MXPref: mxPref,
    TTL: seconds,
    Flag: flag,
    Tag: tag,
  };
  return Object.entries(pairs).flatMap(([key, value]): [string, string][] =>
    value === undefined ? [] : [[`${key}${number}`, value]],
  );
}
