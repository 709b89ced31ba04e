import { covers, isUnder } from '../core/names.ts';
import type { Ports, ServedChange } from '../core/ports.ts';
import { boundNames, type Shown } from '../core/shown.ts';
import type { Certificate, Instant, LineageId } from '../core/types.ts';
import { createLru, type Lru } from './lru.ts';

/** What is known of a name. */
export interface KnownName {
  /** Of the certificates that it is shown, one of each kind of key; empty: nothing is held for it. */
  readonly fingerprints: readonly string[];
  readonly considered: readonly LineageId[];
  readonly until: Instant;
  /** Read before the last change that may concern it. */
  readonly isOutdated: boolean;
}

export interface KnownNames {
  /** Counts as a use. */
  get(name: string): KnownName | undefined;
  /** `asOf`: `version` when the reading began. */
  put(name: string, shown: Shown, asOf: number): void;
  /** Resolves with the names that may be shown something else from now on. */
  outdate(changes: readonly ServedChange[] | 'all'): Promise<readonly string[]>;
  /** Changes whenever names become outdated. */
  readonly version: number;
  readonly size: number;
  readonly bytes: number;
}

/** A second look, should all else fail. */
const longestMs = 3_600_000;
/** Names that nothing is held for: whoever makes them up must not push out the others. */
const mostStrangers = 10_000;

/** What was read of names, until it changes. */
export function createKnownNames(
  limits: { readonly most: number; readonly mostWeight: number; readonly endpoint?: string | undefined },
  { certificates, clock }: Pick<Ports, 'certificates' | 'clock'>,
): KnownNames {
  const { endpoint } = limits;
  const served = createLru<KnownName>(limits);
  const strangers = createLru<KnownName>({ ...limits, most: Math.min(limits.most, mostStrangers) });
  let version = 0;

  function put(name: string, { certificates: chosen, considered, endsAt }: Shown, asOf: number): void {
    const isServed = chosen.length > 0;
    const until = Math.min(clock.now() + longestMs, endsAt ?? Number.POSITIVE_INFINITY);
    const known: KnownName = {
      fingerprints: chosen.map(({ fingerprint }) => fingerprint),
      considered,
      until,
      isOutdated: asOf !== version,
    };
    const [own, other] = isServed ? [served, strangers] : [strangers, served];
    other.delete(name);
    own.set(name, known, sizeOf(name, known));
  }

  async function outdate(changes: readonly ServedChange[] | 'all'): Promise<readonly string[]> {
    const isConcerned =
      changes === 'all' ? () => true : await concernedBy(changes, { certificates, endpoint });
    version += 1;
    return [...outdateIn(served, isConcerned), ...outdateIn(strangers, isConcerned)];
  }

  return {
    get: (name) => served.get(name) ?? strangers.get(name),
    put,
    outdate,
    get version() {
      return version;
    },
    get size() {
      return served.size + strangers.size;
    },
    get bytes() {
      return served.weight + strangers.weight;
    },
  };
}

type IsConcerned = (name: string, considered: readonly LineageId[]) => boolean;

function outdateIn(names: Lru<KnownName>, isConcerned: IsConcerned): readonly string[] {
  const concerned = [...names.entries()].filter(([name, { considered }]) => isConcerned(name, considered));
  for (const [name, known] of concerned)
    if (known.fingerprints.length === 0) names.delete(name);
    // Without the store it is still what is known best.
    else names.set(name, { ...known, isOutdated: true }, sizeOf(name, known));
  return concerned.map(([name]) => name);
}

/** A lineage concerns the names that considered it, and those that its certificate covers now. */
async function concernedBy(
  changes: readonly ServedChange[],
  { certificates, endpoint }: Pick<Ports, 'certificates'> & { readonly endpoint: string | undefined },
): Promise<IsConcerned> {
  const of = (kind: ServedChange['kind']) =>
    changes.filter((change) => change.kind === kind).map(({ name }) => name);
  const [lineages, bindings, domains] = [of('lineage'), new Set(of('binding')), of('domain')];
  const currents = await certificates.currents(lineages);
  const [ids, held] = [new Set(lineages), new Set(currents.flatMap(namesOf))];
  const stars = [...held].filter((name) => name.startsWith('*.'));
  return (name, considered) =>
    held.has(name) ||
    considered.some((id) => ids.has(id)) ||
    stars.some((star) => covers(star, name)) ||
    domains.some((domain) => isUnder(name, domain)) ||
    (bindings.size > 0 && boundNames(name, endpoint).some((pattern) => bindings.has(pattern)));
}

function namesOf(certificate: Certificate | undefined): readonly string[] {
  return certificate?.names ?? [];
}

/** About what an entry takes in memory. */
function sizeOf(name: string, { considered }: KnownName): number {
  return 600 + 2 * name.length + considered.reduce((sum, id) => sum + 32 + id.length, 0);
}
