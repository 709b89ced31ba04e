import type { AgentError } from '../core/errors.ts';
import type { Journal, JournalEntry } from '../core/ports.ts';
import type { ProviderTraits, TxtChange } from '../core/provider.ts';
import type { Instant } from '../core/types.ts';
import type { Landing } from './bisection.ts';

/** Ids of the entries that a flight is asked to bring in and to take away; all of one account and zone. */
export interface FlightRequest {
  readonly adds: readonly string[];
  readonly removes: readonly string[];
  /** Names of all accounts: two may hold one zone. */
  readonly accounts: readonly string[];
}

/** One change at the vendor, for the sake of one or more entries with the same value at the same name. */
export interface PlannedChange {
  readonly change: TxtChange;
  readonly entries: readonly JournalEntry[];
}

export interface FlightPlan {
  readonly changes: readonly PlannedChange[];
  /** Removals of a value that somebody else still wants: the record stays, only these entries go. */
  readonly forget: readonly JournalEntry[];
}

/**
 * What a flight has to do, from what the journal says now. Call it, and carry the plan out, under the lock of the zone:
 * the count of those who share a value is only true there. Left out: adds that were withdrawn meanwhile or find no room
 * at their name, removals that would take a neighbour along, are a person's, or of a value that is wanted in a zone of the
 * same name by another account, which may be the same zone; their entries stay as they are.
 */
export async function planFlight(
  request: FlightRequest,
  traits: ProviderTraits,
  journal: Journal,
): Promise<FlightPlan> {
  const leaving = new Set(request.removes);
  const [adds, removes] = await Promise.all([
    read(
      request.adds.filter((id) => !leaving.has(id)),
      journal,
    ),
    read(request.removes, journal),
  ]);
  const wanted = adds.filter(({ state }) => state !== 'removing');
  const shared = await Promise.all(removes.map((entry) => isShared(entry, leaving, journal)));
  const forget = removes.filter((_, index) => shared[index] === true);
  const unshared = removes.filter((_, index) => shared[index] === false);
  const elsewhere = await Promise.all(unshared.map((entry) => isWantedBy(request.accounts, entry, journal)));
  const free = unshared.filter((_, index) => elsewhere[index] === false);
  const crowded = Number.isFinite(traits.maxValuesPerName) || !traits.removeIsExact;
  const others = crowded ? (await journal.all()).filter(({ id }) => !leaving.has(id)) : [];
  const gone = traits.propagation.signal === 'person' ? [] : free;
  const going = traits.removeIsExact ? gone : gone.filter((entry) => !hasNeighbour(entry, others));
  const coming = withRoom(wanted, others, traits.maxValuesPerName);
  return { changes: merge(going, coming, Math.max(traits.ttl.preferred, traits.ttl.min)), forget };
}

/** Writes down what a flight did; resolves with what failed, by entry id. */
export async function recordFlight(
  plan: FlightPlan,
  landings: readonly Landing[],
  { journal, now }: { readonly journal: Journal; readonly now: Instant },
): Promise<ReadonlyMap<string, AgentError>> {
  const added: JournalEntry[] = [];
  const gone = plan.forget.map(({ id }) => id);
  const failures = new Map<string, AgentError>();
  for (const [index, { change, entries }] of plan.changes.entries()) {
    const landing = landings[index];
    if (landing === undefined) continue;
    if (!landing.ok) for (const { id } of entries) failures.set(id, landing.error);
    else if (change.op === 'remove') gone.push(...entries.map(({ id }) => id));
    else {
      const { handle, ticket } = landing;
      added.push(
        ...entries.map((entry) => ({ ...entry, state: 'added' as const, handle, ticket, addedAt: now })),
      );
    }
  }
  if (added.length > 0) await journal.update(added);
  if (gone.length > 0) await journal.forget(gone);
  return failures;
}

async function read(ids: readonly string[], journal: Journal): Promise<JournalEntry[]> {
  const entries = await Promise.all([...new Set(ids)].map((id) => journal.get(id)));
  return entries.filter((entry) => entry !== undefined);
}

async function isShared(
  entry: JournalEntry,
  leaving: ReadonlySet<string>,
  journal: Journal,
): Promise<boolean> {
  const sharing = await journal.sharing(entry);
  return sharing.some(({ id, state }) => id !== entry.id && !leaving.has(id) && state !== 'removing');
}

async function isWantedBy(
  accounts: readonly string[],
  entry: JournalEntry,
  journal: Journal,
): Promise<boolean> {
  const others = accounts.filter((account) => account !== entry.account);
  const sharing = await Promise.all(others.map((account) => journal.sharing({ ...entry, account })));
  return sharing.flat().some(({ state }) => state !== 'removing');
}

function hasNeighbour(entry: JournalEntry, others: readonly JournalEntry[]): boolean {
  return others.some((other) => sameName(other, entry) && other.state !== 'removing');
}

/** Those that the vendor's limit of values at a name lets in, first come first served. */
function withRoom(
  adds: readonly JournalEntry[],
  others: readonly JournalEntry[],
  maxValues: number,
): readonly JournalEntry[] {
  if (!Number.isFinite(maxValues)) return adds;
  const valuesAt = new Map<string, Set<string>>();
  return adds.filter((add) => {
    const held = others.filter((other) => sameName(other, add) && other.state !== 'intent');
    const values = valuesAt.get(add.name) ?? new Set(held.map(({ value }) => value));
    valuesAt.set(add.name, values);
    if (!values.has(add.value) && values.size >= maxValues) return false;
    values.add(add.value);
    return true;
  });
}

function sameName(a: JournalEntry, b: JournalEntry): boolean {
  return a.account === b.account && a.zone === b.zone && a.name === b.name;
}

/** One change a value; what belongs to one name side by side, its removals first, for vendors that count values. */
function merge(
  going: readonly JournalEntry[],
  coming: readonly JournalEntry[],
  ttl: number,
): readonly PlannedChange[] {
  const planned = new Map<string, PlannedChange>();
  const put = (op: TxtChange['op'], entry: JournalEntry) => {
    const { name, value } = entry;
    const key = `${name} ${op} ${value}`;
    const entries = [...(planned.get(key)?.entries ?? []), entry];
    const handle = op === 'remove' ? entries.find((one) => one.handle !== undefined)?.handle : undefined;
    planned.set(key, { change: { op, name, value, ttl, handle }, entries });
  };
  for (const entry of going) put('remove', entry);
  for (const entry of coming) put('add', entry);
  // Stable: within a name the removals stay first.
  return [...planned.values()].sort((a, b) => compare(a.change.name, b.change.name));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
