import { z } from 'zod';
import type { DnsProvider, ProviderTraits, ZoneRef } from '../src/core/provider.ts';
import type { Secret } from '../src/core/secret.ts';
import type { PluginContext } from '../src/plugin/context.ts';
import { nextNumber, readPages } from '../src/plugin/pages.ts';
import { createRecords, type HeldRecord, listEachName } from '../src/plugin/records.ts';
import { absoluteName, findZoneByName, relativeName } from '../src/plugin/zones.ts';
import { createGodaddyApi, ttl } from './godaddy-api.ts';

export interface GodaddyToken {
  readonly token: Secret<string>;
  readonly ttl: number;
  readonly baseUrl: string;
}

export const recordTraits: ProviderTraits = {
  model: 'records',
  serialize: 'name',
  batch: { maxChanges: 20, atomic: false },
  maxValuesPerName: Number.POSITIVE_INFINITY,
  removeIsExact: true,
  // Some 60 requests a minute: a change lists and writes.
  rate: [{ bucket: 'requests', perSecond: 0.5, burst: 20, costOf: 'change' }],
  ttl,
  propagation: { signal: 'authoritative', typicalMs: 30_000, timeoutMs: 1_200_000 },
};

const record = z.object({ recordId: z.string(), name: z.string(), data: z.string(), ttl: z.number() });
const records = z.object({ items: z.array(record).nullish() });
const created = z.object({ recordId: z.string() });

/** Beyond, reading the zone costs less than asking for each name. */
const mostNames = 3;
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
    traits: { ...recordTraits, ttl: { ...recordTraits.ttl, preferred: config.ttl } },
    findZone: (name, signal) =>
      findZoneByName(name, async (candidate) => {
        // Of the zone, not of the domain: one may be registered elsewhere and have its zone here.
        const query = { type: 'SOA', pageSize: 1 };
        const doing = `to show the zone ${candidate}`;
        const { status } = await api.send(
          { doing, path: recordsOf(candidate), query, accept: [404] },
          signal,
        );
        return status === 404 ? undefined : { name: candidate };
      }),
    async check(signal) {
      await api.send({ doing: 'to list domains', path: '/domain-names', query: { pageSize: 1 } }, signal);
    },
  };
}

function recordsOf(zone: string): string {
  return `/zones/${zone}/dns-records`;
}
