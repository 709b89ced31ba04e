import { AgentError } from '../core/errors.ts';
import type { JournalEntry, Ports } from '../core/ports.ts';
import type { Instant } from '../core/types.ts';
import type { DnsAccount } from './account.ts';
import type { Authoritative, View } from './authoritative.ts';
import { createCache, type Fresh } from './cache.ts';
import { abandonable } from './deadline.ts';
import type { Limits } from './limits.ts';
import type { Vendor } from './vendor.ts';

export type Shown = true | { readonly checkAgainAt: Instant };

export interface Propagation {
  /**
   * Whether the CA would see an added value, by the vendor's word or by the zone's own servers. Level-triggered: any
   * process may ask at any time. Throws `dns.propagation` once the provider's time limit or the entry's lease is over.
   */
  shown(entry: JournalEntry, account: DnsAccount, signal: AbortSignal): Promise<Shown>;
}

/** What the nameservers say together. */
type Verdict = { readonly shown: boolean; readonly filtered: boolean; readonly words: string };

const shortestPauseMs = 100;
const longestPauseMs = 5000;
const liveMs = 5 * 60_000;

export function createPropagation({
  authoritative,
  limits,
  vendor,
  clock,
  log,
  closing,
}: Pick<Ports, 'clock' | 'log'> & {
  readonly authoritative: Authoritative;
  readonly limits: Limits;
  readonly vendor: Vendor;
  /** Ends shared questions. */
  readonly closing: AbortSignal;
}): Propagation {
  const words = createCache<Shown>(clock);

  async function shown(entry: JournalEntry, account: DnsAccount, signal: AbortSignal): Promise<Shown> {
    const { signal: sign } = account.provider.traits.propagation;
    if (sign === 'delay') return delayed(entry, account);
    if (sign === 'api' && entry.ticket !== undefined && account.provider.live !== undefined)
      return byVendor(entry, entry.ticket, { account, signal });
    return byServers(entry, account, signal);
  }

  async function byVendor(
    entry: JournalEntry,
    ticket: string,
    { account, signal }: { readonly account: DnsAccount; readonly signal: AbortSignal },
  ): Promise<Shown> {
    const load = () => askVendor(entry, ticket, account);
    const word = await abandonable(words.get(`${account.name}|${ticket}`, load), signal);
    if (word === true) return true;
    requireTime(entry, account, 'the vendor says that its servers do not all have it yet');
    return word;
  }

  /** All values of one call have one ticket: one question answers for all of them. */
  async function askVendor(
    entry: JournalEntry,
    ticket: string,
    { name, provider }: DnsAccount,
  ): Promise<Fresh<Shown>> {
    const call = { account: name, zone: entry.zone, changes: 0 };
    const admitted = await limits.tryAdmit(call, provider.traits.rate);
    if (admitted !== true) return notBefore(admitted.readyAt);
    // Admitted above, without waiting; a second count would be one too many.
    const ask = async (callSignal: AbortSignal) => provider.live?.(ticket, callSignal);
    const live = await vendor.call({ ...call, rate: [] }, ask, closing);
    if (live === true) return { value: true, ttlMs: liveMs };
    return notBefore(clock.now() + pauseMs(clock.now() - since(entry)));
  }

  function notBefore(checkAgainAt: Instant): Fresh<Shown> {
    return { value: { checkAgainAt }, ttlMs: checkAgainAt - clock.now() };
  }

  async function byServers(entry: JournalEntry, account: DnsAccount, signal: AbortSignal): Promise<Shown> {
    const { zone, name, value } = entry;
    const views = await authoritative.look({ zone, name, override: account.nameservers }, signal);
    const verdict = judge(views, value);
    if (verdict.shown) return true;
    if (verdict.filtered) {
      log.debug(
        { zone, name },
        'no nameserver of the zone answers; the typical delay of the provider decides',
      );
      return delayed(entry, account);
    }
    requireTime(entry, account, verdict.words);
    return { checkAgainAt: clock.now() + pauseMs(clock.now() - since(entry)) };
  }

  function delayed(entry: JournalEntry, { provider }: DnsAccount): Shown {
    const readyAt = Math.min(since(entry) + provider.traits.propagation.typicalMs, entry.leaseUntil);
    return clock.now() >= readyAt || { checkAgainAt: readyAt };
  }

  function requireTime(entry: JournalEntry, { provider }: DnsAccount, words: string): void {
    const now = clock.now();
    const age = now - since(entry);
    if (now < entry.leaseUntil && age <= provider.traits.propagation.timeoutMs) return;
    throw new AgentError(
      'dns.propagation',
      `${entry.name} does not show its TXT record after ${Math.round(age / 1000)} s: ${words}`,
      { facts: { name: entry.name, zone: entry.zone, account: entry.account } },
    );
  }

  return { shown };
}

/** Grows with the age by itself, so that no process has to remember how often it asked. */
function pauseMs(ageMs: number): number {
  return Math.min(Math.max(shortestPauseMs, ageMs / 3), longestPauseMs);
}

function since(entry: JournalEntry): Instant {
  return entry.addedAt ?? entry.createdAt;
}

/** All that can be reached must show the value, and at least half of the nameservers must be reached. */
function judge(views: readonly View[], value: string): Verdict {
  const reached = views.filter(({ seen }) => seen.length > 0);
  const silent = views.filter(({ seen }) => seen.length === 0).map(({ server }) => server);
  const missing = reached
    .filter(({ seen }) => seen.some((values) => !values.has(value)))
    .map(({ server }) => server);
  const enough = reached.length * 2 >= views.length && reached.length > 0;
  const words = [
    missing.length > 0 ? `not yet at ${missing.join(', ')}` : '',
    silent.length > 0 ? `no answer with authority from ${silent.join(', ')}` : '',
  ].filter((part) => part !== '');
  return { shown: enough && missing.length === 0, filtered: reached.length === 0, words: words.join('; ') };
}
