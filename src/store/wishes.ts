import type { Wishes } from '../core/ports.ts';
import type { Domain, Group, Host } from '../core/types.ts';
import type { Base } from './base.ts';
import { decode } from './codec.ts';

/** Domains, hosts and groups; each list is in the order of names. */
export function createWishes({ link, keys, tolerate }: Base): Wishes {
  function readDomain(text: string, name: string): Domain {
    return decode<Domain>(text, `the domain ${name}`);
  }

  /** Of a damaged one the place where it lies says what matters. */
  function readHost(text: string, name: string, domain: string): Host {
    const instead: Host = { name, domain, origin: { kind: 'runtime' }, addedAt: 0 };
    return tolerate(() => decode<Host>(text, `the host ${name}`), instead);
  }

  return {
    domain: async (name) => {
      const text = await link.run((client) => client.hget(keys.domains, name));
      return text === null ? undefined : readDomain(text, name);
    },
    domains: async () => {
      const found = await link.run((client) => client.hgetall(keys.domains));
      return byName(found).flatMap(([name, text]) => tolerate(() => [readDomain(text, name)], []));
    },
    domainOf: async (name) => {
      const suffixes = suffixesOf(name);
      const found = await link.run((client) => client.hmget(keys.domains, ...suffixes));
      const index = found.findIndex((text) => text !== null);
      const text = found[index];
      return typeof text === 'string' ? readDomain(text, suffixes[index] ?? '') : undefined;
    },
    host: async (name) => {
      const suffixes = suffixesOf(name);
      const found = await link.run((client) =>
        Promise.all(suffixes.map((domain) => client.hget(keys.hosts(domain), name))),
      );
      const index = found.findIndex((text) => text !== null);
      const text = found[index];
      return typeof text === 'string' ? readHost(text, name, suffixes[index] ?? '') : undefined;
    },
    hosts: async (domain) => {
      const found = await link.run((client) => client.hgetall(keys.hosts(domain)));
      return byName(found).map(([name, text]) => readHost(text, name, domain));
    },
    groups: async (domain) => {
      const found = await link.run((client) => client.hgetall(keys.groups(domain)));
      return byName(found).map(([label, text]) => decode<Group>(text, `the group ${domain}/${label}`));
    },
  };
}

/** The name itself and its parents, longest first. */
function suffixesOf(name: string): readonly string[] {
  const labels = name.split('.');
  return labels.map((_, index) => labels.slice(index).join('.'));
}

function byName(found: Readonly<Record<string, string>>): readonly (readonly [string, string])[] {
  return Object.entries(found).sort(([a], [b]) => (a < b ? -1 : 1));
}
