import { z } from 'zod';
import type { Definitions, DeployTargetConfig, DnsAccountConfig, NotifierConfig } from './config.ts';
import { probe } from './probe.ts';
import type { Reader } from './reader.ts';
import { dnsAccount } from './schema.ts';
import { suggestion } from './suggest.ts';

export function readDnsAccounts(reader: Reader, { dns }: Definitions): readonly DnsAccountConfig[] {
  return reader.keys(['dnsAccounts']).flatMap((name) => {
    const common = reader.read(dnsAccount, ['dnsAccounts', name]);
    const plugged = readPlugged({ section: 'dnsAccounts', name, kind: 'provider', known: dns }, reader);
    if (common === undefined || plugged === undefined) return [];
    const { zones, nameservers } = common;
    const programmable = plugged.definition.traits.propagation.signal !== 'person';
    return [{ ...plugged, zones: zones.map(plainName), nameservers, programmable }];
  });
}

export function readDeployTargets(reader: Reader, { deploy }: Definitions): readonly DeployTargetConfig[] {
  return reader.keys(['deployTargets']).flatMap((name) => {
    const common = reader.read(z.looseObject({ probe }), ['deployTargets', name]);
    const plugged = readPlugged({ section: 'deployTargets', name, kind: 'target', known: deploy }, reader);
    if (common === undefined || plugged === undefined) return [];
    return [{ ...plugged, probe: common.probe.length === 0 ? undefined : common.probe }];
  });
}

export function readNotifiers(reader: Reader, { notify }: Definitions): readonly NotifierConfig[] {
  return reader
    .keys(['notifiers'])
    .flatMap(
      (name) => readPlugged({ section: 'notifiers', name, kind: 'notifier', known: notify }, reader) ?? [],
    );
}

interface Place<Definition> {
  readonly section: string;
  readonly name: string;
  /** The key that names the definition. */
  readonly kind: 'provider' | 'target' | 'notifier';
  readonly known: ReadonlyMap<string, Definition>;
}

/** Of each entry, whatever it names. */
const commonKeys = { provider: ['zones', 'nameservers'], target: ['probe'], notifier: [] };

const nouns = { provider: 'DNS provider', target: 'deploy target', notifier: 'notifier' };

/** The definition that an entry names, and the rest of the entry as the definition's options. */
function readPlugged<Definition extends { readonly options: z.ZodType<unknown> }>(
  { section, name, kind, known }: Place<Definition>,
  reader: Reader,
): { name: string; definition: Definition; options: unknown } | undefined {
  const path = [section, name];
  const entry = reader.read(z.looseObject({ [kind]: z.string() }), path);
  const wanted = entry?.[kind];
  if (typeof wanted !== 'string') return undefined;
  const definition = known.get(wanted);
  if (definition === undefined) {
    const hint = suggestion(wanted, [...known.keys()], ['known', 'others come by "plugins"']);
    reader.report([...path, kind], `there is no ${nouns[kind]} "${wanted}"${hint}`);
    return undefined;
  }
  return { name, definition, options: reader.read(definition.options, path, [kind, ...commonKeys[kind]]) };
}

function plainName(name: string): string {
  return name.trim().toLowerCase().replace(/\.$/, '');
}
