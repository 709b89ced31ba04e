import { AgentError, isAgentError, toAgentError } from '../core/errors.ts';
import type { Ports } from '../core/ports.ts';
import { createSlots } from '../core/slots.ts';
import type { Instant } from '../core/types.ts';
import { orAborted } from '../core/wait.ts';
import { createDeadline } from './deadline.ts';
import type { Limits, VendorCall } from './limits.ts';

export interface Vendor {
  /**
   * Makes one call within the vendor's limits and a deadline, again where that makes sense: nobody below tries again by
   * itself. Rejects with AgentError; `provider.throttled` has the instant after which it makes sense.
   */
  call<T>(call: Purpose, run: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T>;
}

export interface Purpose extends VendorCall {
  /** apply: changes a zone · find: looks for one · live: asks for a ticket · list: reads records · check: tries the account. */
  readonly for: 'apply' | 'find' | 'live' | 'list' | 'check';
  /** It was admitted by the limits, and counted, for its first attempt. */
  readonly isAdmitted?: boolean | undefined;
}

/** Programs of users may sleep inside; nothing sound takes longer. */
const longestCallMs = 130_000;
/** A provider that does not heed its signal is then left alone: it must not hold up its zone for ever. */
const leftAloneMs = longestCallMs + 20_000;
const attempts = 6;
/** The minute of vendors that count by it, and a little. A call holds up its zone; what takes longer orders come back for. */
const patienceMs = 90_000;
const mostAtOnce = 8;

export function createVendor({
  limits,
  metrics,
  clock,
  log,
}: Pick<Ports, 'metrics' | 'clock' | 'log'> & { readonly limits: Limits }): Vendor {
  const slots = createSlots(mostAtOnce);
  /** What vendors said when they complained, by account; until a call goes well. */
  const complaints = new Map<string, AgentError>();

  async function once<T>(
    { account, for: purpose }: Purpose,
    run: (signal: AbortSignal) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    const what = `the call to DNS account ${account}`;
    const leave = await slots.take(account, signal);
    const deadline = createDeadline(longestCallMs, what, { clock, signals: [signal] });
    const last = createDeadline(leftAloneMs, what, { clock, signals: [] });
    let outcome: string = 'ok';
    try {
      return await orAborted(run(deadline.signal), last.signal);
    } catch (thrown) {
      const error = toAgentError(deadline.signal.aborted ? deadline.signal.reason : thrown);
      outcome = signal.aborted ? 'aborted' : error.code;
      throw error;
    } finally {
      leave();
      deadline.end();
      last.end();
      metrics.count('dns_calls_total', { account, call: purpose, outcome });
    }
  }

  /** When another attempt makes sense; undefined: it would not help. Tells a vendor's complaint to all who call it. */
  async function againAfter(error: AgentError, call: Purpose, attempt: number): Promise<Instant | undefined> {
    const now = clock.now();
    const backOff = Math.round(100 * 2 ** attempt * (0.75 + Math.random() / 2));
    if (error.code !== 'provider.throttled')
      return error.code === 'provider.conflict' || error.retry === 'soon' ? now + backOff : undefined;
    const again = Math.max(now, error.retryAt ?? now + 10 * backOff);
    complaints.set(call.account, error);
    await limits.refused(call, again);
    return again;
  }

  /** Whoever has to wait too long hears what the vendor said, not how we count. */
  async function admit(call: Purpose, latest: Instant, signal: AbortSignal): Promise<void> {
    try {
      await limits.admit(call, latest, signal);
    } catch (error) {
      const complaint = complaints.get(call.account);
      if (!isAgentError(error, 'provider.throttled') || complaint === undefined) throw error;
      throw withInstant(complaint, error.retryAt);
    }
  }

  return {
    async call(call, run, signal) {
      const latest = clock.now() + patienceMs;
      for (let attempt = 1; ; attempt++) {
        if (attempt > 1 || call.isAdmitted !== true) await admit(call, latest, signal);
        try {
          const value = await once(call, run, signal);
          complaints.delete(call.account);
          return value;
        } catch (cause) {
          if (signal.aborted) throw signal.reason;
          const error = toAgentError(cause);
          const again = await againAfter(error, call, attempt);
          if (again === undefined) throw error;
          if (again > latest || attempt === attempts) throw withInstant(error, again);
          log.debug({ account: call.account, code: error.code, again }, 'the DNS vendor is asked again');
          await clock.sleep(again - clock.now(), signal);
        }
      }
    },
  };
}

/** A vendor that complains is left alone until then, said it so or not. */
function withInstant(error: AgentError, again: Instant | undefined): AgentError {
  if (error.code !== 'provider.throttled' || again === undefined) return error;
  const { code, message, retry, facts, advice, cause } = error;
  return new AgentError(code, message, { retry, retryAt: again, facts, advice, cause });
}
