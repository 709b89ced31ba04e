import { type QuotedSet, unescapeXml } from './route53-xml.ts';
import type { RrSet, RrType, ZoneStore } from './zone-store.ts';

/** TXT values as they were written, by lower-case name: the store has them without quotes. */
export type Quotes = Map<string, readonly string[]>;

export interface Refusal {
  readonly messages: readonly string[];
}

interface Change {
  readonly action: string;
  readonly set: QuotedSet;
}

interface Target {
  readonly zoneStore: ZoneStore;
  readonly quotes: Quotes;
  readonly zone: string;
}

const maxRecords = 1000;
const maxCharacters = 32_000;
const txtValue = /^"(?:[^"\\]|\\.){0,255}"(?: "(?:[^"\\]|\\.){0,255}")*$/;

export function seedQuotes(store: ZoneStore): Quotes {
  const sets = store.zones().flatMap((zone) => store.held(zone));
  return new Map(
    sets
      .filter((set) => set.type === 'TXT')
      .map((set) => [set.name.toLowerCase(), set.values.map((value) => `"${value}"`)]),
  );
}

export function listedSets(store: ZoneStore, quotes: Quotes, zone: string): QuotedSet[] {
  return store.held(zone).map((set) => quoted(set, quotes));
}

/** All changes or none, each seeing what those before it did. */
export function changeRecords(
  body: string,
  { zoneStore, quotes, zone }: Target,
): Refusal | { readonly published: Promise<void> } {
  const changes = parseChanges(body);
  const messages: string[] = limitMessages(changes);
  const sets = new Map(listedSets(zoneStore, quotes, zone).map((set) => [keyOf(set), set]));
  const touched = new Map<string, QuotedSet>();
  for (const change of changes) {
    const problem = problemOf(change, { sets, zone });
    if (problem !== undefined) messages.push(problem);
    const { set } = change;
    const result = change.action === 'DELETE' ? { ...set, values: [] } : set;
    touched.set(keyOf(set), result);
    if (change.action === 'DELETE') sets.delete(keyOf(set));
    else sets.set(keyOf(set), set);
  }
  if (messages.length > 0) return { messages };
  for (const set of touched.values()) {
    if (set.type === 'TXT') quotes.set(set.name, set.values);
  }
  return { published: zoneStore.write(zone, [...touched.values()].map(unquoted)) };
}

function parseChanges(body: string): Change[] {
  return [...body.matchAll(/<Change>(.*?)<\/Change>/gs)].map(([, text = '']) => ({
    action: textOf(text, 'Action'),
    set: {
      name: textOf(text, 'Name').toLowerCase().replace(/\.$/, ''),
      type: textOf(text, 'Type') as RrType,
      ttl: Number(textOf(text, 'TTL')),
      values: [...text.matchAll(/<Value>(.*?)<\/Value>/gs)].map(([, value = '']) => unescapeXml(value)),
    },
  }));
}

function limitMessages(changes: readonly Change[]): string[] {
  const weigh = (count: (set: QuotedSet) => number) =>
    changes.reduce((sum, { action, set }) => sum + count(set) * (action === 'UPSERT' ? 2 : 1), 0);
  const records = weigh((set) => set.values.length);
  const characters = weigh((set) => set.values.join('').length);
  return [
    ...(records > maxRecords ? [`Number of records limit of ${maxRecords} exceeded.`] : []),
    ...(characters > maxCharacters ? [`Number of characters limit of ${maxCharacters} exceeded.`] : []),
  ];
}

function problemOf(
  { action, set }: Change,
  { sets, zone }: { sets: ReadonlyMap<string, QuotedSet>; zone: string },
): string | undefined {
  const { name, type, values } = set;
  const subject = `resource record set [name='${name}.', type='${type}']`;
  if (name !== zone && !name.endsWith(`.${zone}`)) {
    return `RRSet with DNS name ${name}. is not permitted in zone ${zone}.`;
  }
  const unquotedValue = type === 'TXT' ? values.find((value) => !txtValue.test(value)) : undefined;
  if (unquotedValue !== undefined) {
    return `Invalid Resource Record: 'FATAL problem: InvalidCharacterString (Value should be enclosed in quotation marks) encountered with '${unquotedValue}''`;
  }
  if (new Set(values).size !== values.length) return `Duplicate Resource Record: '${values[0]}'`;
  const current = sets.get(keyOf(set));
  if (action === 'CREATE' && current !== undefined) return `Tried to create ${subject} but it already exists`;
  if (action === 'DELETE' && current === undefined) return `Tried to delete ${subject} but it was not found`;
  if (action === 'DELETE' && current !== undefined && !isEqual(current, set)) {
    return `Tried to delete ${subject} but the values provided do not match the current values`;
  }
  if (action !== 'DELETE' && type !== 'CNAME' && sets.has(keyOf({ name, type: 'CNAME' }))) {
    return `RRSet of type ${type} with DNS name ${name}. is not permitted because a conflicting RRSet of type CNAME with the same DNS name already exists in zone ${zone}.`;
  }
  return undefined;
}

function isEqual(a: QuotedSet, b: QuotedSet): boolean {
  const [left, right] = [a, b].map((set) => [set.ttl, ...[...set.values].sort()].join('\n'));
  return left === right;
}

function quoted(set: RrSet, quotes: Quotes): QuotedSet {
  return set.type === 'TXT' ? { ...set, values: quotes.get(set.name.toLowerCase()) ?? [] } : set;
}

function unquoted(set: QuotedSet): RrSet {
  return set.type === 'TXT' ? { ...set, values: set.values.map(joinQuoted) } : set;
}

function joinQuoted(value: string): string {
  const octets = value
    .slice(1, -1)
    .replaceAll('" "', '')
    .replace(/\\([0-7]{3})/g, (_, digits) => String.fromCharCode(Number.parseInt(digits, 8)))
    .replace(/\\(["\\])/g, '$1');
  return Buffer.from(octets, 'latin1').toString();
}

function keyOf({ name, type }: Pick<RrSet, 'name' | 'type'>): string {
  return `${name.toLowerCase()} ${type}`;
}

function textOf(xml: string, tag: string): string {
  return unescapeXml(new RegExp(`<${tag}>(.*?)</${tag}>`, 's').exec(xml)?.[1] ?? '');
}
