import { randomUUID } from 'node:crypto';
import { AgentError } from '../core/errors.ts';
import type { JournalEntry, Ports } from '../core/ports.ts';
import type { Instant, LineageId } from '../core/types.ts';
import type { DnsAccount, DnsAccounts } from './account.ts';
import { isByHand } from './by-hand.ts';
import { withPatience } from './deadline.ts';
import type { Engine } from './engine.ts';
import type { Placing } from './placing.ts';
import type { Place, Zones } from './zone.ts';

/** A TXT value that somebody needs at a name for a while. */
export interface TxtWish {
  /** Before following CNAMEs. */
  readonly name: string;
  readonly value: string;
  readonly lineage: LineageId;
  /** Name of a DNS account; absent: the one that declares or finds the zone. */
  readonly account?: string | undefined;
  /** After this instant any agent may remove it. */
  readonly leaseUntil: Instant;
  /** Until when it is of use to the CA: a person who has to add it needs days. Absent: it stays. */
  readonly usefulUntil?: Instant | undefined;
}

export interface Addition {
  /** Writes the intents, durably, and starts the vendor calls; one id a wish, in order. Throws as `Placing.find`. */
  present(wishes: readonly TxtWish[], signal: AbortSignal): Promise<readonly string[]>;
  /**
   * Waits a moment for the call of an entry that is still `intent`, and makes one where none is under way: its agent
   * died, or it failed and that was told. A call is waited for so long in all, however often it is asked after. false: it
   * takes longer. Throws what became of it.
   */
  hasLanded(entry: JournalEntry, signal: AbortSignal): Promise<boolean>;
  /** Nobody will ask about these any more. */
  forget(ids: readonly string[]): void;
}

/** A call to the vendor for the sake of an entry. */
interface Underway {
  readonly landed: Promise<void>;
  readonly begunAt: Instant;
  /** Afterwards nobody asks about it. */
  readonly until: Instant;
}

const patienceMs = 5000;
/** A day, less what is kept back of it at its end. */
const leastForPeopleMs = 23 * 3_600_000;

export function createAddition({
  journal,
  engine,
  accounts,
  zones,
  placing,
  metrics,
  clock,
}: Pick<Ports, 'journal' | 'metrics' | 'clock'> & {
  readonly engine: Engine;
  readonly accounts: DnsAccounts;
  readonly zones: Pick<Zones, 'forget'>;
  readonly placing: Placing;
}): Addition {
  /** Adds of this process whose outcome nobody has heard yet, by entry id. */
  const underway = new Map<string, Underway>();

  async function present(wishes: readonly TxtWish[], signal: AbortSignal): Promise<readonly string[]> {
    const places = await placing.find(wishes, signal);
    const entries = await Promise.all(
      wishes.flatMap((wish, index) => {
        const place = places[index];
        return place === undefined ? [] : [entryFor(wish, place)];
      }),
    );
    signal.throwIfAborted();
    await journal.intend(entries);
    for (const entry of entries) start(entry);
    return entries.map(({ id }) => id);
  }

  async function entryFor(wish: TxtWish, { account, zone, name }: Place): Promise<JournalEntry> {
    const { value, lineage } = wish;
    const leaseUntil = leaseOf(wish, accounts.get(account), clock.now());
    const sharing = await journal.sharing({ account, zone: zone.name, name, value });
    const own = sharing.find((entry) => entry.lineage === lineage && entry.state !== 'removing');
    if (own !== undefined)
      return { ...own, state: 'intent', leaseUntil: Math.max(own.leaseUntil, leaseUntil) };
    return {
      id: randomUUID(),
      account,
      zone: zone.name,
      zoneId: zone.id,
      name,
      value,
      state: 'intent',
      lineage,
      createdAt: clock.now(),
      leaseUntil,
    };
  }

  function start(entry: JournalEntry): Underway {
    for (const [id, { until }] of underway) if (until < clock.now()) underway.delete(id);
    const { account, zone, name } = entry;
    const since = clock.now();
    const landed = engine
      .add(entry)
      .then(() => {
        const waitedMs = clock.now() - since;
        metrics.observe('dns_wait_seconds', { account, for: 'accepted' }, waitedMs / 1000);
      })
      .catch((error: unknown) => {
        zones.forget({ account, zone: { name: zone }, name });
        throw error;
      });
    // Heard by `ready`, or by nobody when the order ended first.
    landed.catch(() => {});
    const call = { landed, begunAt: since, until: entry.leaseUntil };
    underway.set(entry.id, call);
    return call;
  }

  async function hasLanded(entry: JournalEntry, signal: AbortSignal): Promise<boolean> {
    const { landed, begunAt } = underway.get(entry.id) ?? start(entry);
    const leftMs = Math.max(0, begunAt + patienceMs - clock.now());
    try {
      if ((await withPatience(landed, leftMs, { clock, signal })) === undefined) return false;
    } catch (error) {
      if (!signal.aborted) underway.delete(entry.id);
      throw error;
    }
    underway.delete(entry.id);
    return true;
  }

  function forget(ids: readonly string[]): void {
    for (const id of ids) underway.delete(id);
  }

  return { present, hasLanded, forget };
}

/** Throws `order.profile` where a person would have less than a day. */
function leaseOf({ name, leaseUntil, usefulUntil }: TxtWish, account: DnsAccount, now: Instant): Instant {
  if (usefulUntil === undefined || !isByHand(account)) return leaseUntil;
  if (usefulUntil - now >= leastForPeopleMs) return usefulUntil;
  const minutes = Math.max(0, Math.round((usefulUntil - now) / 60_000));
  throw new AgentError(
    'order.profile',
    `the CA waits only ${minutes} minutes for the TXT record at ${name}, and DNS account ${account.name} is kept by a person, who needs a day`,
    {
      facts: { name, account: account.name },
      advice:
        "Use a profile whose authorizations live for days (Let's Encrypt: classic), or a DNS account that the agent can write to.",
    },
  );
}
