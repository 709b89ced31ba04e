import { AgentError } from '../core/errors.ts';
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
  const { link, keys, crypt, tolerate } = base;

  async function many(ids: readonly LineageId[]): Promise<readonly (Lineage | undefined)[]> {
    const found = await link.run((client) =>
      Promise.all(ids.map((id) => client.hmget(keys.lineage(id), 'r', 'c', 'g'))),
    );
    return Promise.all(
      found.map(async ([record, current, numbers], index) => {
        if (record === null || record === undefined) return undefined;
        const id = ids[index] ?? '';
        const read = () => decode<LineageRecord>(record, `the lineage ${id}`);
        const own = tolerate(read, undefined) ?? madeAnew(id, (await currents([id]))[0]);
        return own === undefined ? undefined : withGenerations(own, current, numbers);
      }),
    );
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
      const read = () => facts && decodeCertificate(facts, id, Number(number));
      return tolerate(read, undefined) || undefined;
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
    lineage: async (id) => {
      const [found] = await many([id]);
      if (found !== undefined || (await link.run((client) => client.hexists(keys.lineage(id), 'r'))) === 0)
        return found;
      // That it is there, and what it was, must not be taken for its absence.
      throw new AgentError('store.record', `the lineage ${id} in the store is damaged: it is no record`);
    },
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
type LineageRecord = Omit<Lineage, 'current' | 'generations'>;

/**
 * A damaged record of what we order for, until its domain is next brought in line: it goes on as its certificate was
 * ordered; without one nothing is ordered for it. undefined: an upload, of which nobody knows the domain.
 */
function madeAnew(id: LineageId, certificate: Certificate | undefined): LineageRecord | undefined {
  const [, domain, label, kind] = /^([^/]+)\/(.+)\/(ec|rsa|fallback)$/.exec(id) ?? [];
  if (domain === undefined || label === undefined) return undefined;
  const nothing = { names: [], keyType: 'p256' as const, issuers: [], challenge: 'http-01' as const };
  return {
    ...{ id, domain, label, policy: `${domain}/${label}`, createdAt: 0 },
    source: kind === 'fallback' ? 'self-signed' : 'acme',
    wanted: certificate?.wanted ?? nothing,
    unwantedSince: certificate === undefined ? 0 : undefined,
  };
}

function withGenerations(record: LineageRecord, current: Field, numbers: Field): Lineage {
  return {
    ...record,
    ...(typeof current === 'string' && { current: Number(current) }),
    generations: typeof numbers === 'string' ? numbers.split(',').map(Number) : [],
  };
}

function slices<T>(items: readonly T[]): readonly (readonly T[])[] {
  const parts: T[][] = [];
  for (let start = 0; start < items.length; start += atOnce) parts.push(items.slice(start, start + atOnce));
  return parts;
}
