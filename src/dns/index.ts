import { setMaxListeners } from 'node:events';
import type { DnsCare } from '../core/dns-care.ts';
import { AgentError, toAgentError } from '../core/errors.ts';
import type { Http } from '../core/http.ts';
import type { PluginState } from '../core/plugin.ts';
import type { Ports } from '../core/ports.ts';
import { orAborted } from '../core/wait.ts';
import { createAccounts, type DnsAccount } from './account.ts';
import { createAddition, type TxtWish } from './addition.ts';
import { createAuthoritative } from './authoritative.ts';
import { createByHand } from './by-hand.ts';
import { createDeadline } from './deadline.ts';
import { createDoh, publicDohUrls } from './doh.ts';
import { createEngine } from './engine.ts';
import { createExamination } from './examine.ts';
import { createLearned } from './learned.ts';
import { createLeftovers } from './leftovers.ts';
import { createLimits } from './limits.ts';
import { createPlacing } from './placing.ts';
import { createPropagation } from './propagation.ts';
import { createReadiness } from './readiness.ts';
import { createRemoval, type Recovery } from './removal.ts';
import { createResolver } from './resolver.ts';
import { createThrottle } from './throttle.ts';
import { createTrials } from './trial.ts';
import { createVendor } from './vendor.ts';
import { createVendorWord, type Shown } from './vendor-word.ts';
import { createZones } from './zone.ts';

export type { DnsAccount } from './account.ts';
export type { TxtWish } from './addition.ts';
export type { Recovery } from './removal.ts';
export { createResolver, parseServer, type RecursiveResolver } from './resolver.ts';

export interface Dns {
  /**
   * Durable when it resolves: the intents are in the journal, the vendor calls on their way. One id a wish, in order; a
   * wish that is out already for the same lineage keeps its id. What goes wrong at the vendor is told by `ready`.
   * `provider.throttled` with an instant: not yet, come back then with the same wishes.
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
  readonly care: DnsCare;
  /** Credentials and declared zones of an account; throws what is wrong. */
  check(account: string, signal: AbortSignal): Promise<void>;
  /** Sends off pending removals, waits for calls under way (at most 10 s), closes the providers. */
  close(): Promise<void>;
}

const closeMs = 10_000;

export interface DnsConfig {
  readonly accounts: readonly DnsAccount[];
  /** Recursive DNS servers (`address` or `address:port`); those of the system when empty. */
  readonly resolvers: readonly string[];
  /** Resolvers over HTTPS, asked where port 53 is filtered; public ones when absent. */
  readonly doh?: readonly string[] | undefined;
}

export interface DnsNeeds extends Pick<Ports, 'journal' | 'locks' | 'buckets' | 'metrics' | 'clock' | 'log'> {
  readonly http: Pick<Http, 'request'>;
  /** By owner: keeps what is learned of zones. */
  readonly pluginState: (owner: string) => PluginState;
}

/** Under which the engine keeps what it learned; no plugin can have this name. */
const memoryOwner = 'dns engine';

export function createDns(config: DnsConfig, needs: DnsNeeds): Dns {
  const stop = new AbortController();
  // Every query under way listens; many are normal.
  setMaxListeners(0, stop.signal);
  const parts = assemble(config, needs, stop.signal);
  const { addition, learned, readiness, removal } = parts;
  return {
    present: addition.present,
    ready: readiness.ready,
    cleanUp: async (ids, signal) => {
      addition.forget(ids);
      learned.forget(ids);
      await removal.cleanUp(ids, signal);
    },
    recover: removal.recover,
    care: parts.care,
    check: (account, signal) => check(account, parts, signal),
    close: async () => {
      await drain(parts, needs);
      stop.abort(new AgentError('provider.unavailable', 'the agent stops'));
      await Promise.allSettled(parts.accounts.all.map(({ provider }) => provider.close?.()));
    },
  };
}

type Parts = ReturnType<typeof assemble>;

/** `closing` ends what is shared by several callers. */
function assemble(config: DnsConfig, needs: DnsNeeds, closing: AbortSignal) {
  const { journal, metrics, clock, log, http } = needs;
  const memory = needs.pluginState(memoryOwner);
  const accounts = createAccounts(config.accounts);
  const resolver = createResolver({ servers: config.resolvers }, needs);
  const throttle = createThrottle({ memory, clock, log });
  const limits = createLimits({ ...needs, throttle });
  const vendor = createVendor({ limits, metrics, clock, log });
  const zones = createZones({ accounts, resolver, vendor, clock, closing });
  const authoritative = createAuthoritative({ resolver, clock, closing });
  const vendorWord = createVendorWord({ limits, vendor, clock, closing });
  const learned = createLearned({ memory, clock, log });
  const doh = createDoh(config.doh ?? publicDohUrls, { http, log });
  const propagation = createPropagation({ authoritative, vendorWord, learned, doh, metrics, clock, log });
  const engine = createEngine({ ...needs, accounts, vendor, closing });
  const placing = createPlacing({ zones, clock, closing });
  const addition = createAddition({ journal, engine, accounts, zones, placing, metrics, clock });
  const byHand = createByHand({ accounts, journal, authoritative, doh, clock, log });
  const readiness = createReadiness({ journal, accounts, addition, propagation, byHand, clock });
  const removal = createRemoval({ journal, engine, accounts, byHand, clock, log });
  const shared = { ...needs, accounts, zones, resolver, authoritative, vendor, vendorWord, learned, engine };
  const care = {
    ...createLeftovers(shared),
    ...createExamination(shared),
    ...createTrials({ ...shared, addition, removal }),
  };
  return { accounts, vendor, zones, engine, learned, addition, readiness, removal, care };
}

async function check(
  name: string,
  { accounts, vendor, zones }: Pick<Parts, 'accounts' | 'vendor' | 'zones'>,
  signal: AbortSignal,
): Promise<void> {
  const account = accounts.get(name);
  const { provider } = account;
  const call = { account: name, changes: 0, rate: provider.traits.rate, for: 'check' as const };
  await vendor.call(call, async (callSignal) => provider.check?.(callSignal), signal);
  for (const zone of account.zones) await zones.declared(account, zone, signal);
}

async function drain({ engine }: Pick<Parts, 'engine'>, { clock, log }: DnsNeeds): Promise<void> {
  const deadline = createDeadline(closeMs, 'the DNS calls under way', { clock, signals: [] });
  try {
    await orAborted(engine.drain(), deadline.signal);
  } catch (error) {
    log.warn({ reason: toAgentError(error).message }, 'stopped with DNS calls under way');
  } finally {
    deadline.end();
  }
}
