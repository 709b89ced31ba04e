import { AgentError } from '../src/core/errors.ts';
import type { ChangeOutcome, TxtChange } from '../src/core/provider.ts';
import { quoteTxt, unquoteTxt } from '../src/plugin/quoting.ts';
import { type TxtSet as PlainSet, planSets, type TxtForm } from '../src/plugin/sets.ts';

/** A TXT record set as Route 53 lists it. */
export interface TxtSet extends PlainSet {
  /** One of several sets of that name with a routing policy (weighted, multivalue …). */
  readonly routed: boolean;
}

export interface SetChange {
  readonly action: 'CREATE' | 'DELETE';
  readonly set: PlainSet;
}

/** Other octets than printable ASCII are written in octal. */
const form: TxtForm = { write: (value) => quoteTxt(value, 8), read: (text) => unquoteTxt(text, 8) };

/** What a change batch may hold; characters are those of all values. */
export const maxRecords = 1000;
export const maxCharacters = 32_000;

export interface Plan {
  readonly batch: readonly SetChange[];
  /** One a change, in order. */
  readonly outcomes: readonly ChangeOutcome[];
}

/**
 * What turns the sets that stand there into those wanted. Each set is deleted exactly as it was read and created anew in
 * the same transaction, so that the vendor refuses the batch if somebody else wrote in between; other values and the
 * TTL stay. A set that already has a value to be added is written again as well: only a change has an id to ask
 * whether all servers have it.
 */
export function planChanges(listed: readonly TxtSet[], changes: readonly TxtChange[]): Plan {
  const routed = new Set(listed.filter((set) => set.routed).map((set) => set.name));
  const plain = changes.filter(({ name }) => !routed.has(name));
  const planned = planSets(listed, plain, form);
  const same = listed.filter(
    (set) =>
      !planned.some(({ name }) => name === set.name) &&
      plain.some(({ op, name }) => op === 'add' && name === set.name),
  );
  const rewritten = same.map((set) => ({ before: set, after: set }));
  const batch = [...planned, ...rewritten].flatMap(({ before, after }): SetChange[] => [
    ...(before === undefined ? [] : [{ action: 'DELETE' as const, set: before }]),
    ...(after === undefined ? [] : [{ action: 'CREATE' as const, set: after }]),
  ]);
  const outcomes = changes.map(({ name, op }): ChangeOutcome => {
    return op === 'add' && routed.has(name) ? { ok: false, error: routedName(name) } : { ok: true };
  });
  return { batch, outcomes };
}

/** The sets that stand there already may make a batch larger than its changes are. */
export function refuseTooLarge(batch: readonly SetChange[], zone: string): void {
  const values = batch.flatMap(({ set }) => set.values);
  if (values.length <= maxRecords && values.join('').length <= maxCharacters) return;
  throw new AgentError(
    'provider.invalid',
    `the change of zone ${zone} is beyond what Route 53 takes at once (${maxRecords} records, ${maxCharacters} characters)`,
  );
}

/** As the core writes names: Route 53 ends them with a dot and writes other characters than a-z 0-9 - _ in octal. */
export function nameFromRoute53(name: string): string {
  const plain = name.replace(/\\(\d{3})/g, (_, digits) => String.fromCharCode(Number.parseInt(digits, 8)));
  return plain.toLowerCase().replace(/\.$/, '');
}

/** The order in which Route 53 lists names: by labels, from the right. */
export function compareNames(a: string, b: string): number {
  const [left, right] = [a, b].map((name) => name.split('.').reverse().join('\u0000'));
  if (left === right) return 0;
  return (left ?? '') < (right ?? '') ? -1 : 1;
}

function routedName(name: string): AgentError {
  return new AgentError(
    'provider.invalid',
    `Route 53 has TXT records with a routing policy at ${name}; remove them, no simple record can stand beside them`,
  );
}
