import { AgentError } from '../core/errors.ts';
import type { JournalEntry, Ports } from '../core/ports.ts';
import type { Instant } from '../core/types.ts';
import type { DnsAccount } from './account.ts';
import type { Authoritative } from './authoritative.ts';
import type { Doh } from './doh.ts';
import { type Learned, since } from './learned.ts';
import { pauseMs, type Shown, type VendorWord } from './vendor-word.ts';
import { judge } from './verdict.ts';

export interface Propagation {
  /**
   * Whether the CA would see an added value, by the vendor's word or by the zone's own servers. Level-triggered: any
   * process may ask at any time. Throws `dns.propagation` once the provider's time limit or the entry's lease is over.
   */
  shown(entry: JournalEntry, account: DnsAccount, signal: AbortSignal): Promise<Shown>;
}

export interface PropagationNeeds extends Pick<Ports, 'metrics' | 'clock' | 'log'> {
  readonly authoritative: Authoritative;
  readonly vendorWord: VendorWord;
  readonly learned: Learned;
  /** Asked where no nameserver of the zone can be reached. */
  readonly doh: Doh;
}

/** `assumed`: nobody could be asked, and it should be there by now. */
type Finding = Exclude<Shown, true> | 'seen' | 'assumed';

/** A resolver that was asked too early remembers for long that there was nothing. */
const hiddenTimes = 3;

export function createPropagation(needs: PropagationNeeds): Propagation {
  const { clock, learned, metrics, vendorWord } = needs;

  async function find(entry: JournalEntry, account: DnsAccount, signal: AbortSignal): Promise<Finding> {
    const { signal: sign, typicalMs } = account.provider.traits.propagation;
    if (sign === 'delay') return after(entry, typicalMs, clock.now());
    const { ticket } = entry;
    if (sign !== 'api' || ticket === undefined || account.provider.live === undefined)
      return byServers(entry, { account, needs }, signal);
    const word = await vendorWord.ask(entry, { account, ticket }, signal);
    if (word === true) return 'seen';
    requireTime(entry, account, {
      now: clock.now(),
      words: 'the vendor says that its servers do not all have it yet',
    });
    return word;
  }

  return {
    async shown(entry, account, signal) {
      const soonestAt = Math.min((await learned.soonestAt(entry)) ?? 0, entry.leaseUntil);
      if (clock.now() < soonestAt) return { checkAgainAt: soonestAt };
      const finding = await find(entry, account, signal);
      if (finding !== 'assumed') await learned.looked(entry, finding === 'seen');
      if (finding !== 'seen' && finding !== 'assumed') return finding;
      const waitedMs = clock.now() - since(entry);
      metrics.observe('dns_wait_seconds', { account: entry.account, for: 'live' }, waitedMs / 1000);
      return true;
    },
  };
}

interface Looking {
  readonly account: DnsAccount;
  readonly needs: PropagationNeeds;
}

async function byServers(entry: JournalEntry, looking: Looking, signal: AbortSignal): Promise<Finding> {
  const { account, needs } = looking;
  const { zone, name, value } = entry;
  const views = await needs.authoritative.look({ zone, name, override: account.nameservers }, signal);
  const verdict = judge(views, value);
  if (verdict.shown) return 'seen';
  if (verdict.filtered) return byResolvers(entry, looking, signal);
  const now = needs.clock.now();
  requireTime(entry, account, { now, words: verdict.words });
  return { checkAgainAt: now + pauseMs(now - since(entry)) };
}

/**
 * Port 53 is filtered here. Resolvers elsewhere are asked once it should be there; where they cannot tell, time decides,
 * and a little more of it where they do not see it.
 */
async function byResolvers(
  entry: JournalEntry,
  { account, needs }: Looking,
  signal: AbortSignal,
): Promise<Finding> {
  const { doh, learned, clock, log } = needs;
  const { typicalMs } = account.provider.traits.propagation;
  const expectedMs = Math.max((await learned.latestMs(entry)) ?? 0, typicalMs);
  const expected = after(entry, expectedMs, clock.now());
  if (expected !== 'assumed') return expected;
  const views = await doh.txt(entry.name, signal);
  log.debug({ zone: entry.zone, resolvers: views.length }, 'no nameserver of the zone answers');
  if (views.length === 0) return 'assumed';
  if (views.every((values) => values.has(entry.value))) return 'seen';
  const now = clock.now();
  const hidden = after(entry, hiddenTimes * expectedMs, now);
  if (hidden === 'assumed') return hidden;
  return { checkAgainAt: Math.min(hidden.checkAgainAt, now + pauseMs(now - since(entry))) };
}

/** Time alone decides, and never beyond the lease. */
function after(
  entry: JournalEntry,
  ms: number,
  now: Instant,
): 'assumed' | { readonly checkAgainAt: Instant } {
  const readyAt = Math.min(since(entry) + ms, entry.leaseUntil);
  return now >= readyAt ? 'assumed' : { checkAgainAt: readyAt };
}

function requireTime(
  entry: JournalEntry,
  { provider }: DnsAccount,
  { now, words }: { readonly now: Instant; readonly words: string },
): void {
  const age = now - since(entry);
  if (now < entry.leaseUntil && age <= provider.traits.propagation.timeoutMs) return;
  throw new AgentError(
    'dns.propagation',
    `${entry.name} does not show its TXT record after ${Math.round(age / 1000)} s: ${words}`,
    { facts: { name: entry.name, zone: entry.zone, account: entry.account } },
  );
}
