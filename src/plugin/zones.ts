import { isAgentError } from '../core/errors.ts';
import { isUnder, parentOf } from '../core/names.ts';
import type { DnsProvider, ZoneRef } from '../core/provider.ts';
import type { VendorApi } from './vendor-api.ts';
import type { VendorRequest } from './vendor-request.ts';

/** `name` and the names above it that can be zones of an account, longest first. */
export function zoneCandidates(name: string): readonly string[] {
  const found: string[] = [];
  for (let at: string | undefined = name; at?.includes('.'); at = parentOf(at)) found.push(at);
  return found;
}

/**
 * For vendors that can be asked for one zone: the first that there is, from the longest. One call a label at most. What is
 * refused of one name (rights may be given for a single zone; to some vendors a name with an underscore is no name) says
 * nothing of the names above it: it is thrown only when no zone is found, and no other answer explains that.
 */
export async function findZoneByName(
  name: string,
  ask: (candidate: string) => Promise<ZoneRef | undefined>,
): Promise<ZoneRef | undefined> {
  const candidates = zoneCandidates(name);
  const refusals: unknown[] = [];
  for (const candidate of candidates) {
    try {
      const zone = await ask(candidate);
      if (zone !== undefined) return zone;
    } catch (error) {
      if (!isAgentError(error, 'provider.forbidden') && !isAgentError(error, 'provider.invalid')) throw error;
      refusals.push(error);
    }
  }
  const forbidden = refusals.find((error) => isAgentError(error, 'provider.forbidden'));
  if (forbidden !== undefined) throw forbidden;
  if (refusals.length > 0 && refusals.length === candidates.length) throw refusals[0];
  return undefined;
}

/** `findZone` for vendors that show a zone, by its name, to a request of its own: 404 says that there is none. */
export function findShownZone(
  api: Pick<VendorApi, 'send'>,
  requestFor: (candidate: string, signal: AbortSignal) => VendorRequest | Promise<VendorRequest>,
): NonNullable<DnsProvider['findZone']> {
  return (name, signal) =>
    findZoneByName(name, async (candidate) => {
      const request = await requestFor(candidate, signal);
      const { status } = await api.send({ ...request, accept: [404] }, signal);
      return status === 404 ? undefined : { name: candidate };
    });
}

/** For vendors that list all of an account. */
export function longestZone<Zone extends ZoneRef>(name: string, zones: readonly Zone[]): Zone | undefined {
  return zones.filter((zone) => isUnder(name, zone.name)).sort((a, b) => b.name.length - a.name.length)[0];
}

/** The name as vendors write it below its zone; the apex is `apex`, at most vendors "" or "@". */
export function relativeName(name: string, zone: string, apex: string): string {
  return name === zone ? apex : name.slice(0, -zone.length - 1);
}

/** The other way round. */
export function absoluteName(relative: string, zone: string): string {
  const plain = relative.toLowerCase().replace(/\.$/, '');
  return plain === '' || plain === '@' ? zone : `${plain}.${zone}`;
}
