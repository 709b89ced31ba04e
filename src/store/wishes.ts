import type { Wishes } from '../core/ports.ts';
import type { Domain, Group, Host } from '../core/types.ts';
import type { Base } from './base.ts';
import { decode, decodeMaybe } from './codec.ts';

/** Domains, hosts and groups; each list is in the order of names. */
export function createWishes({ link, keys }: Base): Wishes {
  return {
    domain: async (name) => decodeMaybe<Domain>(await link.run((client) => client.hget(keys.domains, name))),
    domains: async () =>
      byName(await link.run((client) => client.hvals(keys.domains)), (one: Domain) => one.name),
    domainOf: async (name) => {
      const found = await link.run((client) => client.hmget(keys.domains, ...suffixesOf(name)));
      return decodeMaybe<Domain>(found.find((text) => text !== null));
    },
    host: async (name) => {
      const found = await link.run((client) =>
        Promise.all(suffixesOf(name).map((domain) => client.hget(keys.hosts(domain), name))),
      );
      return decodeMaybe<Host>(found.find((text) => text !== null));
    },
    hosts: async (domain) =>
      byName(await link.run((client) => client.hvals(keys.hosts(domain))), (one: Host) => one.name),
    groups: async (domain) =>
      byName(await link.run((client) => client.hvals(keys.groups(domain))), (one: Group) => one.label),
  };
}

/** The name itself and its parents, longest first. */
function suffixesOf(name: string): readonly string[] {
  const labels = name.split('.');
  return labels.map((_, index) => labels.slice(index).join('.'));
}

function byName<T>(texts: readonly string[], nameOf: (record: T) => string): readonly T[] {
  const records = texts.map((text) => decode<T>(text));
  return records.sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
}
