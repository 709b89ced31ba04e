import type {
  ApplyResult,
  ChangeOutcome,
  DnsProvider,
  ProviderTraits,
  TxtChange,
  TxtRecord,
  ZoneRef,
} from '../core/provider.ts';
import { each, namesOf, outcomeOf } from './each.ts';

/** A TXT record as the vendor has it, by the id under which it can be removed. */
export interface HeldRecord extends TxtRecord {
  readonly handle: string;
}

interface Listing {
  /** TXT records at these names; all of the zone when `names` is undefined. More than asked for does no harm. */
  list(
    zone: ZoneRef,
    names: readonly string[] | undefined,
    signal: AbortSignal,
  ): Promise<readonly HeldRecord[]>;
}

/** An API with one call a record. */
export interface RecordCalls extends Listing {
  /** true: the vendor refuses a second copy of a record, so nothing is read before an add. */
  readonly refusesCopies?: boolean | undefined;
  /** true: the vendor refuses a record whose TTL is not that of the others at its name. */
  readonly oneTtl?: boolean | undefined;
  /** The id of the new record; undefined: it was there already, or there is no id. */
  create(zone: ZoneRef, record: TxtChange, signal: AbortSignal): Promise<string | undefined>;
  /** One that is not there is a success. */
  remove(zone: ZoneRef, record: RemovedRecord, signal: AbortSignal): Promise<void>;
  /** Puts into force what was changed, where the vendor wants to be told. */
  commit?(zone: ZoneRef, signal: AbortSignal): Promise<void>;
}

export interface RemovedRecord extends TxtChange {
  readonly handle: string;
}

/** An API that takes many records in one call, all or none. */
export interface RecordBatch extends Listing {
  /** The ids of the new records, in order, where it gives any. */
  change(
    zone: ZoneRef,
    batch: { readonly creates: readonly TxtChange[]; readonly removes: readonly HeldRecord[] },
    signal: AbortSignal,
  ): Promise<readonly (string | undefined)[]>;
}

type Applying = Required<Pick<DnsProvider, 'apply' | 'listTxt'>>;

/**
 * `apply` for vendors that know records, not sets (trait `records`): values of others are never touched, an add of what is
 * there changes nothing, a remove takes exactly the record whose id is known, or else every one with that name and value.
 */
export function createRecords(calls: RecordCalls, { serialize }: ProviderTraits): Applying {
  async function apply(
    zone: ZoneRef,
    changes: readonly TxtChange[],
    signal: AbortSignal,
  ): Promise<ApplyResult> {
    const unknown = changes.filter(
      ({ op, handle }) => handle === undefined && (op === 'remove' || calls.refusesCopies !== true),
    );
    const held = unknown.length === 0 ? [] : await calls.list(zone, namesOf(unknown), signal);
    const outcomes = await each(changes, serialize, (change) =>
      outcomeOf(change.op === 'add' ? add(zone, change, held) : remove(zone, change, held)),
    );
    // Also when all of it was there already: an earlier run may have died before it told the vendor.
    await calls.commit?.(zone, signal);
    return { outcomes };

    async function add(zone: ZoneRef, change: TxtChange, held: readonly HeldRecord[]) {
      const [known] = held.filter((record) => isSame(record, change));
      if (known !== undefined) return known.handle;
      const beside = calls.oneTtl === true ? held.find(({ name }) => name === change.name) : undefined;
      return calls.create(zone, { ...change, ttl: beside?.ttl ?? change.ttl }, signal);
    }

    async function remove(zone: ZoneRef, change: TxtChange, held: readonly HeldRecord[]) {
      const known = held.filter((record) => isSame(record, change));
      const handles = change.handle === undefined ? known.map(({ handle }) => handle) : [change.handle];
      for (const handle of handles) await calls.remove(zone, { ...change, handle }, signal);
      return undefined;
    }
  }

  return { apply, listTxt: listing(calls) };
}

/** The same in as few calls as one list and one batch. Ids are read anew: one that is wrong would fail the batch. */
export function createRecordBatches(calls: RecordBatch): Applying {
  return {
    async apply(zone, changes, signal) {
      const held = await calls.list(zone, namesOf(changes), signal);
      const missing = (change: TxtChange) => !held.some((record) => isSame(record, change));
      const creates = firstOfEach(changes.filter((change) => change.op === 'add' && missing(change)));
      const leaving = changes.filter((change) => change.op === 'remove');
      const removes = held.filter((record) => leaving.some((change) => isSame(record, change)));
      const idle = creates.length === 0 && removes.length === 0;
      const ids = idle ? [] : await calls.change(zone, { creates, removes }, signal);
      const handleOf = (change: TxtChange) =>
        held.find((record) => isSame(record, change))?.handle ??
        ids[creates.findIndex((one) => isSame(one, change))];
      const outcomes = changes.map(
        (change): ChangeOutcome => ({
          ok: true,
          handle: change.op === 'add' ? handleOf(change) : undefined,
        }),
      );
      return { outcomes };
    },
    listTxt: listing(calls),
  };
}

/**
 * `list` of records, or `read` of sets, for vendors that can be asked for one name only, or cheaper: beyond `most` names
 * the whole zone is read, which is asked for without a name.
 */
export function listEachName<Item>(
  read: (zone: ZoneRef, name: string | undefined, signal: AbortSignal) => Promise<readonly Item[]>,
  most: number,
): (zone: ZoneRef, names: readonly string[] | undefined, signal: AbortSignal) => Promise<readonly Item[]> {
  return async (zone, names, signal) => {
    if (names === undefined || names.length > most) return read(zone, undefined, signal);
    return (await Promise.all(names.map((name) => read(zone, name, signal)))).flat();
  };
}

function listing(calls: Listing): Applying['listTxt'] {
  return async (zone, names, signal) => {
    const held = await calls.list(zone, names, signal);
    return names === undefined ? held : held.filter(({ name }) => names.includes(name));
  };
}

function firstOfEach(changes: readonly TxtChange[]): readonly TxtChange[] {
  return changes.filter((change, index) => changes.findIndex((one) => isSame(one, change)) === index);
}

function isSame(
  a: Pick<TxtRecord, 'name' | 'value'>,
  { name, value }: Pick<TxtRecord, 'name' | 'value'>,
): boolean {
  return a.name === name && a.value === value;
}
