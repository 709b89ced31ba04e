import type { Certificates } from '../core/ports.ts';
import type { Bundle, Certificate, Lineage, LineageId } from '../core/types.ts';
import type { Base } from './base.ts';
import { decode, decodeBundle, decodeCertificate } from './codec.ts';
import { defineScript, runBinaryScript, runScript } from './script.ts';

/** KEYS: lineages. Number and facts of the current generation of each; a script, so that no flip comes in between. */
const currentsScript = defineScript(`
local found = {}
for i, key in ipairs(KEYS) do
  local number = redis.call('HGET', key, 'c')
  found[i] = number and { number, redis.call('HGET', key, 'f' .. number) } or {}
end
return found
`);

/** KEYS: lineage, chains. ARGV: number, or empty for the current one. Number, facts, leaf and key, intermediates. */
const bundleScript = defineScript(`
local number = ARGV[1]
if number == '' then number = redis.call('HGET', KEYS[1], 'c') or '' end
local stored = redis.call('HMGET', KEYS[1], 'f' .. number, 'b' .. number, 'h' .. number)
if not stored[1] then return {} end
local found = { number, stored[1], stored[2] }
for id in string.gmatch(stored[3] or '', '[^,]+') do table.insert(found, redis.call('HGET', KEYS[2], id)) end
return found
`);

const atOnce = 500;

/** Lineages and their generations; read from Redis at each call. */
export function createCertificates(base: Base): Certificates {
  const { link, keys, crypt } = base;

  async function many(ids: readonly LineageId[]): Promise<readonly (Lineage | undefined)[]> {
    const found = await link.run((client) =>
      Promise.all(ids.map((id) => client.hmget(keys.lineage(id), 'r', 'c', 'g'))),
    );
    return found.map(([record, current, numbers]) => toLineage(record, current, numbers));
  }

  async function indexed(index: string): Promise<readonly Lineage[]> {
    const ids = await link.run((client) => client.smembers(index));
    const found: Lineage[] = [];
    for (const part of slices(ids.sort()))
      found.push(...(await many(part)).filter((lineage) => lineage !== undefined));
    return found;
  }

  async function currents(ids: readonly LineageId[]): Promise<readonly (Certificate | undefined)[]> {
    const parts = await Promise.all(
      slices(ids).map((part) =>
        link.run((client) => runScript(client, currentsScript, { keys: part.map(keys.lineage), args: [] })),
      ),
    );
    const found = parts.flat() as readonly (readonly [number?: string, facts?: string])[];
    return ids.map((id, index) => {
      const [number, facts] = found[index] ?? [];
      return facts === undefined ? undefined : decodeCertificate(facts, id, Number(number));
    });
  }

  async function bundle(id: LineageId, generation?: number): Promise<Bundle | undefined> {
    const input = { keys: [keys.lineage(id), keys.chains], args: [generation ?? ''] };
    const found = (await link.run((client) =>
      runBinaryScript(client, bundleScript, input),
    )) as readonly Buffer[];
    const [number, facts, leafAndKey, ...chainDer] = found;
    if (number === undefined || facts === undefined || leafAndKey === undefined) return undefined;
    const certificate = decodeCertificate(facts.toString(), id, Number(number.toString()));
    return decodeBundle(certificate, { leafAndKey, chainDer }, crypt);
  }

  return {
    lineage: async (id) => (await many([id]))[0],
    lineages: (domain) => indexed(domain === undefined ? keys.lineages : keys.lineagesOf(domain)),
    uploads: (domain) => indexed(keys.uploadsOf(domain)),
    certificate: async (id, generation) => {
      if (generation === undefined) return (await currents([id]))[0];
      const facts = await link.run((client) => client.hget(keys.lineage(id), `f${generation}`));
      return facts === null ? undefined : decodeCertificate(facts, id, generation);
    },
    currents,
    bundle,
  };
}

type Field = string | null | undefined;

function toLineage(record: Field, current: Field, numbers: Field): Lineage | undefined {
  if (record === null || record === undefined) return undefined;
  return {
    ...decode<Omit<Lineage, 'current' | 'generations'>>(record),
    ...(typeof current === 'string' && { current: Number(current) }),
    generations: typeof numbers === 'string' ? numbers.split(',').map(Number) : [],
  };
}

function slices<T>(items: readonly T[]): readonly (readonly T[])[] {
  const parts: T[][] = [];
  for (let start = 0; start < items.length; start += atOnce) parts.push(items.slice(start, start + atOnce));
  return parts;
}
