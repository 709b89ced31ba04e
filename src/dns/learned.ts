import type { PluginState } from '../core/plugin.ts';
import type { JournalEntry, Ports } from '../core/ports.ts';
import type { Instant } from '../core/types.ts';

type ZoneKey = Pick<JournalEntry, 'account' | 'zone'>;

/** How long each zone takes from the vendor's yes until its servers show a value, from the last times it was seen. */
export interface Learned {
  /** Before this instant a look would most often be too early; undefined: look at once. */
  soonestAt(entry: JournalEntry): Promise<Instant | undefined>;
  /** By then nearly all values showed; undefined: not known of this zone. */
  latestMs(zone: ZoneKey): Promise<number | undefined>;
  /** A look, and whether the value was there. */
  looked(entry: JournalEntry, shown: boolean): Promise<void>;
  forget(ids: readonly string[]): void;
}

const kept = 20;
/** Fewer say nothing. */
const enough = 4;
const saveEveryMs = 5 * 60_000;
/** Before that a look costs less than a wait may lose. */
const promptMs = 200;

export function createLearned({
  memory,
  clock,
  log,
}: Pick<Ports, 'clock' | 'log'> & { readonly memory: PluginState }): Learned {
  const zones = new Map<string, Promise<number[]>>();
  const savedAt = new Map<string, Instant>();
  /** Last look at an entry that did not show yet. */
  const missedAt = new Map<string, Instant>();

  function samplesOf(zone: ZoneKey): Promise<number[]> {
    const key = keyOf(zone);
    const samples = zones.get(key) ?? memory.get(key).then(parse).catch(unreadable);
    zones.set(key, samples);
    return samples;
  }

  function unreadable(err: unknown): number[] {
    log.debug({ err }, 'what was learned of a zone cannot be read');
    return [];
  }

  async function soonestAt(entry: JournalEntry): Promise<Instant | undefined> {
    // A look a little before a quarter of the values show: when the zone gets faster, that is seen.
    const ms = Math.round(0.9 * (quantile(await samplesOf(entry), 0.25) ?? 0));
    return ms < promptMs ? undefined : since(entry) + ms;
  }

  async function looked(entry: JournalEntry, shown: boolean): Promise<void> {
    const now = clock.now();
    if (!shown) {
      missedAt.set(entry.id, now);
      return;
    }
    const before = missedAt.get(entry.id) ?? (await soonestAt(entry)) ?? since(entry);
    missedAt.delete(entry.id);
    // Nobody looked for a while, and it may have shown long ago: that says nothing.
    if (now - before > 1000 + Math.min(5000, (before - since(entry)) / 3)) return;
    const samples = await samplesOf(entry);
    samples.push(now - since(entry));
    samples.splice(0, samples.length - kept);
    await save(keyOf(entry), samples);
  }

  async function save(key: string, samples: readonly number[]): Promise<void> {
    const last = savedAt.get(key);
    if (last !== undefined && samples.length > enough && clock.now() - last < saveEveryMs) return;
    savedAt.set(key, clock.now());
    await memory.set(key, JSON.stringify(samples)).catch((err: unknown) => {
      log.debug({ err }, 'what was learned of a zone cannot be kept');
    });
  }

  function forget(ids: readonly string[]): void {
    for (const id of ids) missedAt.delete(id);
  }

  return { soonestAt, latestMs: async (zone) => quantile(await samplesOf(zone), 0.95), looked, forget };
}

/** Since when a value could show. */
export function since(entry: JournalEntry): Instant {
  return entry.addedAt ?? entry.createdAt;
}

function keyOf({ account, zone }: ZoneKey): string {
  return `propagation/${account}/${zone}`;
}

/** Anything that is not what we wrote counts as nothing. */
function parse(text: string | undefined): number[] {
  const parsed: unknown = text === undefined ? [] : JSON.parse(text);
  const isOurs = (ms: unknown): ms is number => typeof ms === 'number' && ms >= 0;
  return Array.isArray(parsed) ? parsed.filter(isOurs).slice(-kept) : [];
}

function quantile(samples: readonly number[], share: number): number | undefined {
  if (samples.length < enough) return undefined;
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.floor(share * (sorted.length - 1))];
}
