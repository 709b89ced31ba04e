import type { PluginState } from '../core/plugin.ts';
import type { Ports } from '../core/ports.ts';
import type { Instant } from '../core/types.ts';

/**
 * How much of a vendor's declared rates we use: all, until it says that it was too much. Then half, and half of that; what
 * is left doubles every minute without a complaint. All agents on the store hear of it within seconds.
 */
export interface Throttle {
  /** More than 0, at most 1. */
  share(account: string): Promise<number>;
  /** The vendor refused a call as one too many. */
  tighten(account: string): Promise<void>;
}

interface Mark {
  /** Of the rates, at the instant. */
  readonly share: number;
  readonly at: Instant;
}

const leastShare = 1 / 64;
const doublesEveryMs = 60_000;
/** Calls that were under way together are refused together: that is one complaint. */
const togetherMs = 1000;
/** What other agents were told is read again after this. */
const freshMs = 5000;

export function createThrottle({
  memory,
  clock,
  log,
}: Pick<Ports, 'clock' | 'log'> & { readonly memory: PluginState }): Throttle {
  const known = new Map<string, { readonly readAt: Instant; readonly mark: Promise<Mark | undefined> }>();

  function markOf(account: string): Promise<Mark | undefined> {
    const now = clock.now();
    const kept = known.get(account);
    if (kept !== undefined && now - kept.readAt < freshMs && now >= kept.readAt) return kept.mark;
    const mark = read(account);
    known.set(account, { readAt: now, mark });
    return mark;
  }

  /** A store that is away must not keep a call from being made. */
  async function read(account: string): Promise<Mark | undefined> {
    try {
      return parse(await memory.get(keyOf(account)), clock.now());
    } catch (err) {
      log.debug({ account, err }, 'what a DNS vendor can bear is not known');
      return undefined;
    }
  }

  async function tighten(account: string): Promise<void> {
    const now = clock.now();
    const before = await markOf(account);
    if (before !== undefined && now - before.at < togetherMs) return;
    const mark = { share: Math.max(leastShare, grown(before, now) / 2), at: now };
    known.set(account, { readAt: now, mark: Promise.resolve(mark) });
    log.info({ account, share: mark.share }, 'the DNS vendor asks for fewer calls');
    await memory.set(keyOf(account), JSON.stringify(mark)).catch((err: unknown) => {
      log.debug({ account, err }, 'other agents do not hear what a DNS vendor can bear');
    });
  }

  return { share: async (account) => grown(await markOf(account), clock.now()), tighten };
}

function grown(mark: Mark | undefined, now: Instant): number {
  return mark === undefined ? 1 : Math.min(1, mark.share * 2 ** ((now - mark.at) / doublesEveryMs));
}

function keyOf(account: string): string {
  return `throttle/${account}`;
}

/** Anything that is not what we wrote counts as nothing, and so does what a clock ahead of ours wrote. */
function parse(text: string | undefined, now: Instant): Mark | undefined {
  const parsed: unknown = text === undefined ? undefined : JSON.parse(text);
  if (!(parsed instanceof Object) || !('share' in parsed) || !('at' in parsed)) return undefined;
  const { share, at } = parsed;
  if (typeof share !== 'number' || typeof at !== 'number' || at > now + togetherMs) return undefined;
  return share >= leastShare && share <= 1 ? { share, at } : undefined;
}
