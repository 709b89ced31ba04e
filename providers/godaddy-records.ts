import { z } from 'zod';
import type { DnsProvider, ProviderTraits, ZoneRef } from '../src/core/provider.ts';
import type { Secret } from '../src/core/secret.ts';
import type { PluginContext } from '../src/plugin/context.ts';
import { withTtl } from '../src/plugin/fields.ts';
import { nextNumber, readPages } from '../src/plugin/pages.ts';
import { createRecords, type HeldRecord, listEachName } from '../src/plugin/records.ts';
import { absoluteName, findShownZone, relativeName } from '../src/plugin/zones.ts';
import { createGodaddyApi, mostNames, traits } from './godaddy-api.ts';

export interface GodaddyToken {
  readonly token: Secret<string>;
  readonly ttl: number;
  readonly baseUrl: string;
}

export const recordTraits: ProviderTraits = { ...traits, model: 'records' };

const record = z.object({ recordId: z.string(), name: z.string(), data: z.string(), ttl: z.number() });
const records = z.object({ items: z.array(record).nullish() });
const created = z.object({ recordId: z.string() });

/** The longest that the API gives. */
const pageSize = 100;

/** Single records of its newer API (v3), for personal access tokens. */
export function createGodaddyRecords(config: GodaddyToken, context: PluginContext): DnsProvider {
  const api = createGodaddyApi(
    {
      baseUrl: `${config.baseUrl}/v3/domains`,
      authorization: () => `Bearer ${config.token.reveal()}`,
      secrets: [config.token],
    },
    context,
  );

  async function read(zone: ZoneRef, name: string | undefined, signal: AbortSignal): Promise<HeldRecord[]> {
    const doing = `to list the TXT records of ${zone.name}`;
    const relative = name === undefined ? undefined : relativeName(name, zone.name, '@');
    const found = await readPages(1, async (page) => {
      const query = { type: 'TXT', name: relative, page, pageSize };
      const answer = await api.read(
        records,
        { doing, path: recordsOf(zone.name), query, zone: zone.name },
        signal,
      );
      const items = answer.items ?? [];
      return { items, next: nextNumber(page, { size: pageSize, items }) };
    });
    return found.map((one) => ({
      name: absoluteName(one.name, zone.name),
      value: one.data,
      ttl: one.ttl,
      handle: one.recordId,
    }));
  }

  const calls = createRecords(
    {
      list: listEachName(read, mostNames),
      async create({ name: zone }, { name, value, ttl: seconds }, signal) {
        const json = { type: 'TXT', name: relativeName(name, zone, '@'), data: value, ttl: seconds };
        const request = { doing: `to add a record at ${name}`, path: recordsOf(zone), json, zone };
        return (await api.read(created, request, signal)).recordId;
      },
      async remove({ name: zone }, { name, handle }, signal) {
        const path = `${recordsOf(zone)}/${encodeURIComponent(handle)}`;
        const doing = `to remove a record at ${name}`;
        await api.send({ doing, method: 'DELETE', path, accept: [404] }, signal);
      },
    },
    recordTraits,
  );

  return {
    ...calls,
    traits: withTtl(recordTraits, config.ttl),
    // Of the zone, not of the domain: one may be registered elsewhere and have its zone here.
    findZone: findShownZone(api, (candidate) => ({
      doing: `to show the zone ${candidate}`,
      path: recordsOf(candidate),
      query: { type: 'SOA', pageSize: 1 },
    })),
    async check(signal) {
      await api.send({ doing: 'to list domains', path: '/domain-names', query: { pageSize: 1 } }, signal);
    },
  };
}

function recordsOf(zone: string): string {
  return `/zones/${zone}/dns-records`;
}
