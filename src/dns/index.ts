import { setMaxListeners } from 'node:events';
import { AgentError, toAgentError } from '../core/errors.ts';
import type { JournalEntry, Ports } from '../core/ports.ts';
import { createAccounts, type DnsAccount } from './account.ts';
import { createAddition, type TxtWish } from './addition.ts';
import { createAuthoritative } from './authoritative.ts';
import { abandonable, createDeadline } from './deadline.ts';
import { createEngine } from './engine.ts';
import { createLimits } from './limits.ts';
import { createPropagation, type Shown } from './propagation.ts';
import { createRemoval, type Recovery } from './removal.ts';
import { createResolver } from './resolver.ts';
import { createVendor } from './vendor.ts';
import { createZones } from './zone.ts';

export type { DnsAccount } from './account.ts';
export type { TxtWish } from './addition.ts';
export type { Recovery } from './removal.ts';
export { createResolver, parseServer, type RecursiveResolver } from './resolver.ts';

export interface Dns {
  /**
   * Durable when it resolves: the intents are in the journal, the vendor calls on their way. One id a wish, in order; a
   * wish that is out already for the same lineage keeps its id. What goes wrong at the vendor is told by `ready`.
   */
  present(wishes: readonly TxtWish[], signal: AbortSignal): Promise<readonly string[]>;
  /**
   * True once the zone's servers show the value. Level-triggered, in any process. Throws `provider.*`, `dns.*`; a further
   * call after that tries again.
   */
  ready(id: string, signal: AbortSignal): Promise<Shown>;
  /**
   * Marks for removal; the removals follow soon and share calls. Idempotent, and never fails because a vendor does: what
   * could not be removed is left to `recover`.
   */
  cleanUp(ids: readonly string[], signal: AbortSignal): Promise<void>;
  /** Removes what nobody waits for any more, by exact name and value. For the start and from time to time. */
  recover(signal: AbortSignal): Promise<Recovery>;
  /** Credentials and declared zones of an account; throws what is wrong. */
  check(account: string, signal: AbortSignal): Promise<void>;
  /** Sends off pending removals, waits for calls under way (at most 10 s), closes the providers. */
  close(): Promise<void>;
}

const noRoomPauseMs = 1000;
const closeMs = 10_000;

/** `resolvers`: recursive DNS servers (`address` or `address:port`); those of the system when empty. */
export function createDns(
  config: { readonly accounts: readonly DnsAccount[]; readonly resolvers: readonly string[] },
  needs: Pick<Ports, 'journal' | 'locks' | 'buckets' | 'clock' | 'log'>,
): Dns {
  const { journal, clock, log } = needs;
  const stop = new AbortController();
  const closing = stop.signal;
  // Every query under way listens; many are normal.
  setMaxListeners(0, closing);
  const accounts = createAccounts(config.accounts);
  const resolver = createResolver({ servers: config.resolvers }, needs);
  const limits = createLimits(needs);
  const vendor = createVendor({ limits, clock, log });
  const zones = createZones({ accounts, resolver, vendor, clock, closing });
  const authoritative = createAuthoritative({ resolver, clock, closing });
  const propagation = createPropagation({ authoritative, limits, vendor, clock, log, closing });
  const engine = createEngine({ ...needs, accounts, vendor, closing });
  const addition = createAddition({ journal, engine, zones, clock });
  const removal = createRemoval({ journal, engine, clock, log });

  async function ready(id: string, signal: AbortSignal): Promise<Shown> {
    const before = await wanted(id);
    if (before.state === 'intent' && !(await addition.hasLanded(before, signal)))
      return { checkAgainAt: clock.now() };
    const entry = await wanted(id);
    const account = accounts.get(entry.account);
    return entry.state === 'intent' ? waitForRoom(entry, account) : propagation.shown(entry, account, signal);
  }

  function waitForRoom(entry: JournalEntry, { provider }: DnsAccount): Shown {
    const now = clock.now();
    const { maxValuesPerName, propagation: limit } = provider.traits;
    if (now < Math.min(entry.leaseUntil, entry.createdAt + limit.timeoutMs))
      return { checkAgainAt: now + noRoomPauseMs };
    throw new AgentError(
      'dns.propagation',
      `DNS account ${entry.account} holds at most ${maxValuesPerName} TXT value(s) at ${entry.name}, and others did not leave in time`,
      { facts: { name: entry.name, account: entry.account } },
    );
  }

  async function wanted(id: string): Promise<JournalEntry> {
    const entry = await journal.get(id);
    if (entry !== undefined && entry.state !== 'removing') return entry;
    const what = entry === undefined ? 'the TXT record' : `the TXT record at ${entry.name}`;
    throw new AgentError('dns.propagation', `${what} was removed before the CA asked for it`, {
      facts: { id },
    });
  }

  async function cleanUp(ids: readonly string[], signal: AbortSignal): Promise<void> {
    addition.forget(ids);
    await removal.cleanUp(ids, signal);
  }

  async function check(name: string, signal: AbortSignal): Promise<void> {
    const account = accounts.get(name);
    const { provider } = account;
    const call = { account: name, changes: 0, rate: provider.traits.rate };
    await vendor.call(call, async (callSignal) => provider.check?.(callSignal), signal);
    for (const zone of account.zones) await zones.declared(account, zone, signal);
  }

  async function close(): Promise<void> {
    const deadline = createDeadline(closeMs, 'the DNS calls under way', { clock, signals: [] });
    try {
      await abandonable(engine.drain(), deadline.signal);
    } catch (error) {
      log.warn({ reason: toAgentError(error).message }, 'stopped with DNS calls under way');
    } finally {
      deadline.end();
      stop.abort(new AgentError('provider.unavailable', 'the agent stops'));
      await Promise.allSettled(accounts.all.map(({ provider }) => provider.close?.()));
    }
  }

  return { present: addition.present, ready, cleanUp, recover: removal.recover, check, close };
}
