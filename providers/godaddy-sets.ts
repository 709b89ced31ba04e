import { z } from 'zod';
import type { DnsProvider, ProviderTraits, ZoneRef } from '../src/core/provider.ts';
import type { Secret } from '../src/core/secret.ts';
import type { PluginContext } from '../src/plugin/context.ts';
import { withTtl } from '../src/plugin/fields.ts';
import { readPages } from '../src/plugin/pages.ts';
import { listEachName } from '../src/plugin/records.ts';
import { createSets, type SetChange, type TxtSet } from '../src/plugin/sets.ts';
import { absoluteName, findShownZone, relativeName } from '../src/plugin/zones.ts';
import { createGodaddyApi, mostNames, traits } from './godaddy-api.ts';

export interface GodaddyKey {
  readonly key: Secret<string>;
  readonly secret: Secret<string>;
  readonly ttl: number;
  readonly baseUrl: string;
}

export const setTraits: ProviderTraits = { ...traits, model: 'rrset-replace' };

const record = z.object({ name: z.string(), data: z.string(), ttl: z.number() });
const records = z.array(record);

const pageSize = 500;

/** Values are kept as they are. */
const form = { write: (value: string) => value, read: (text: string) => text };

/** Whole sets of the older API (v1), for keys with a secret: what GoDaddy calls classic keys. */
export function createGodaddySets(config: GodaddyKey, context: PluginContext): DnsProvider {
  const api = createGodaddyApi(
    {
      baseUrl: `${config.baseUrl}/v1`,
      authorization: () => `sso-key ${config.key.reveal()}:${config.secret.reveal()}`,
      secrets: [config.key, config.secret],
    },
    context,
  );

  async function readName(zone: ZoneRef, name: string, signal: AbortSignal): Promise<TxtSet[]> {
    const request = {
      doing: `to show the TXT records at ${name}`,
      path: pathOf(zone, name),
      zone: zone.name,
    };
    return setsOf(await api.read(records, request, signal), zone);
  }

  async function readZone(zone: ZoneRef, signal: AbortSignal): Promise<TxtSet[]> {
    const doing = `to list the TXT records of ${zone.name}`;
    const found = await readPages(0, async (offset) => {
      const query = { limit: pageSize, offset };
      const path = `/domains/${zone.name}/records/TXT`;
      const items = await api.read(records, { doing, path, query, zone: zone.name }, signal);
      return { items, next: items.length < pageSize ? undefined : offset + items.length };
    });
    return setsOf(found, zone);
  }

  async function write(zone: ZoneRef, { name, after }: SetChange, signal: AbortSignal): Promise<void> {
    const request = {
      doing: `to change the TXT records at ${name}`,
      path: pathOf(zone, name),
      zone: zone.name,
    };
    if (after === undefined) {
      await api.send({ ...request, method: 'DELETE', accept: [404] }, signal);
      return;
    }
    const json = after.values.map((data) => ({ data, ttl: after.ttl }));
    await api.send({ ...request, method: 'PUT', json }, signal);
  }

  return {
    ...createSets(
      {
        form,
        scope: 'name',
        read: listEachName(
          (zone, name, signal) =>
            name === undefined ? readZone(zone, signal) : readName(zone, name, signal),
          mostNames,
        ),
        write,
      },
      setTraits,
    ),
    traits: withTtl(setTraits, config.ttl),
    findZone: findShownZone(api, (candidate) => ({
      doing: `to show the domain ${candidate}`,
      path: `/domains/${candidate}`,
    })),
    async check(signal) {
      await api.send({ doing: 'to list domains', path: '/domains', query: { limit: 1 } }, signal);
    },
  };
}

function pathOf({ name: zone }: ZoneRef, name: string): string {
  return `/domains/${zone}/records/TXT/${encodeURIComponent(relativeName(name, zone, '@'))}`;
}

/** It lists records; those of one name are a set. */
function setsOf(found: z.infer<typeof records>, zone: ZoneRef): TxtSet[] {
  const sets = new Map<string, TxtSet>();
  for (const one of found) {
    const name = absoluteName(one.name, zone.name);
    const values = [...(sets.get(name)?.values ?? []), one.data];
    sets.set(name, { name, ttl: one.ttl, values });
  }
  return [...sets.values()];
}
