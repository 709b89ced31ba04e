import { isAgentError } from '../core/errors.ts';
import type { JournalEntry, NotReady, Ports } from '../core/ports.ts';
import type { Instant } from '../core/types.ts';
import type { DnsAccount } from './account.ts';
import { createCache, type Fresh } from './cache.ts';
import { withPatience } from './deadline.ts';
import { since } from './learned.ts';
import type { Limits } from './limits.ts';
import type { Vendor } from './vendor.ts';

export type Shown = true | NotReady;

/** What vendors with tickets say about "is it live everywhere?". */
export interface VendorWord {
  ask(
    entry: JournalEntry,
    of: { readonly account: DnsAccount; readonly ticket: string },
    signal: AbortSignal,
  ): Promise<Shown>;
}

const liveMs = 5 * 60_000;
/** A job waits no longer for an answer, which the next look may find there. */
const patienceMs = 5000;
const shortestPauseMs = 100;
const longestPauseMs = 5000;

export function createVendorWord({
  limits,
  vendor,
  clock,
  closing,
}: Pick<Ports, 'clock'> & {
  readonly limits: Limits;
  readonly vendor: Vendor;
  /** Ends shared questions. */
  readonly closing: AbortSignal;
}): VendorWord {
  const words = createCache<Shown>(clock);

  async function askNow(
    entry: JournalEntry,
    { account: { name, provider }, ticket }: { readonly account: DnsAccount; readonly ticket: string },
  ): Promise<Fresh<Shown>> {
    const call = { account: name, zone: entry.zone, changes: 0, rate: provider.traits.rate };
    const admitted = await limits.tryAdmit(call);
    if (admitted !== true) return notBefore(admitted.readyAt);
    const ask = async (signal: AbortSignal) => provider.live?.(ticket, signal);
    try {
      const live = await vendor.call({ ...call, for: 'live', isAdmitted: true }, ask, closing);
      if (live === true) return { value: true, ttlMs: liveMs };
    } catch (error) {
      if (!isAgentError(error, 'provider.throttled')) throw error;
      if (error.retryAt !== undefined) return notBefore(error.retryAt);
    }
    return notBefore(clock.now() + pauseMs(clock.now() - since(entry)));
  }

  function notBefore(checkAgainAt: Instant): Fresh<Shown> {
    return { value: { checkAgainAt }, ttlMs: checkAgainAt - clock.now() };
  }

  return {
    async ask(entry, of, signal) {
      // All values of one call have one ticket: one question answers for all of them.
      const word = words.get(`${of.account.name}|${of.ticket}`, () => askNow(entry, of));
      const heard = await withPatience(word, patienceMs, { clock, signal });
      return heard === undefined ? { checkAgainAt: clock.now() + longestPauseMs } : heard.value;
    },
  };
}

/** Grows with the age by itself, so that no process has to remember how often it asked. */
export function pauseMs(ageMs: number): number {
  return Math.round(Math.min(Math.max(shortestPauseMs, ageMs / 3), longestPauseMs));
}
