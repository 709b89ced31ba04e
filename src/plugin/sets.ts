import type { ChangeOutcome, DnsProvider, ProviderTraits, TxtChange, ZoneRef } from '../core/provider.ts';
import { each, namesOf, outcomeOf } from './each.ts';

/** All TXT values of one name as the vendor has them. */
export interface TxtSet {
  readonly name: string;
  readonly ttl: number;
  /** In the vendor's writing, exactly as it was read. */
  readonly values: readonly string[];
  /** What the vendor compares, where it can: an etag. */
  readonly version?: string | undefined;
  /** What else the vendor keeps with a set, to be written back. */
  readonly rest?: unknown;
}

export interface SetChange {
  readonly name: string;
  /** As it was read; undefined: there was none. */
  readonly before: TxtSet | undefined;
  /** As it shall be; undefined: there shall be none. */
  readonly after: Pick<TxtSet, 'name' | 'ttl' | 'values'> | undefined;
}

/** How the vendor writes a value. */
export interface TxtForm {
  write(value: string): string;
  read(text: string): string;
}

interface SetReading {
  readonly form: TxtForm;
  /** Sets at these names; all of the zone when `names` is undefined. More than asked for does no harm. */
  read(zone: ZoneRef, names: readonly string[] | undefined, signal: AbortSignal): Promise<readonly TxtSet[]>;
}

/** One call writes all sets, all or none. */
interface ZoneWriting {
  readonly scope: 'zone';
  /**
   * The vendor's ticket, if it gives one. `provider.conflict`: a set is not as it was read any more; whoever called `apply`
   * calls it again, and all is read anew.
   */
  write(zone: ZoneRef, changes: readonly SetChange[], signal: AbortSignal): Promise<string | undefined>;
}

/** One call a set. */
interface NameWriting {
  readonly scope: 'name';
  /** `provider.conflict` as above. */
  write(zone: ZoneRef, change: SetChange, signal: AbortSignal): Promise<void>;
}

export type SetCalls = SetReading & (ZoneWriting | NameWriting);

/**
 * `apply` for vendors that only know whole sets (traits `rrset-replace` and `rrset-cas`): what stands at a name is read and
 * written back with the changes made to it, the values of others as they were, with their TTL.
 */
export function createSets(
  calls: SetCalls,
  { serialize }: ProviderTraits,
): Required<Pick<DnsProvider, 'apply' | 'listTxt'>> {
  return {
    async apply(zone, changes, signal) {
      const held = await calls.read(zone, namesOf(changes), signal);
      const plan = planSets(held, changes, calls.form);
      if (calls.scope === 'zone') {
        const ticket = plan.length === 0 ? undefined : await calls.write(zone, plan, signal);
        return { outcomes: changes.map(() => ({ ok: true })), ticket };
      }
      const written = await each(plan, serialize, (change) =>
        outcomeOf(calls.write(zone, change, signal).then(() => undefined)),
      );
      const outcomeAt = (at: string) => written[plan.findIndex(({ name }) => name === at)];
      return { outcomes: changes.map(({ name }): ChangeOutcome => outcomeAt(name) ?? { ok: true }) };
    },
    async listTxt(zone, names, signal) {
      const sets = await calls.read(zone, names, signal);
      return sets
        .filter(({ name }) => names === undefined || names.includes(name))
        .flatMap(({ name, ttl, values }) =>
          values.map((text) => ({ name, ttl, value: calls.form.read(text) })),
        );
    },
  };
}

/** What is to be written so that all changes are made; sets that are so already are left out. */
export function planSets(
  held: readonly TxtSet[],
  changes: readonly TxtChange[],
  form: TxtForm,
): readonly SetChange[] {
  return namesOf(changes).flatMap((name) => {
    const before = held.find((set) => set.name === name);
    const own = changes.filter((change) => change.name === name);
    const texts = before?.values ?? [];
    const values = own.reduce((list, change) => changed(list, change, form), texts);
    if (values.length === texts.length && values.every((text, index) => text === texts[index])) return [];
    const ttl = before?.ttl ?? own.find(({ op }) => op === 'add')?.ttl ?? 0;
    return [{ name, before, after: values.length === 0 ? undefined : { name, ttl, values } }];
  });
}

function changed(texts: readonly string[], { op, value }: TxtChange, form: TxtForm): readonly string[] {
  const others = texts.filter((text) => form.read(text) !== value);
  if (op === 'remove') return others;
  return others.length < texts.length ? texts : [...texts, form.write(value)];
}
