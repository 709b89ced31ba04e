import { isUnder, parentOf } from '../core/names.ts';
import type { Fresh } from './cache.ts';
import type { RecursiveResolver } from './resolver.ts';

const shortestMs = 5 * 60_000;
const longestMs = 3_600_000;
const absentMs = 10_000;

/** The zone that holds `name` by the SOA in answer or authority; undefined: it is not delegated. */
export async function findCut(
  start: string,
  resolver: RecursiveResolver,
  signal: AbortSignal,
): Promise<Fresh<string | undefined>> {
  for (let name: string | undefined = start; name !== undefined; name = parentOf(name)) {
    const { answers, authorities } = await resolver.ask({ name, type: 'SOA' }, signal);
    const soa = [...answers, ...authorities].find((record) => record.type === 'SOA');
    if (soa === undefined || !isUnder(start, soa.name)) continue;
    // A single label is a registry's zone: the name below it is not registered or not delegated.
    if (!soa.name.includes('.')) break;
    return { value: soa.name, ttlMs: Math.min(Math.max(soa.ttl * 1000, shortestMs), longestMs) };
  }
  return { value: undefined, ttlMs: absentMs };
}
