import { type AgentError, toAgentError } from '../core/errors.ts';
import type { Ports } from '../core/ports.ts';
import type { ProviderTraits } from '../core/provider.ts';
import { orAborted } from '../core/wait.ts';
import { createDeadline } from './deadline.ts';
import type { Limits, VendorCall } from './limits.ts';

export interface Vendor {
  /** Makes one call within the vendor's limits and a deadline, again where that makes sense. Rejects with AgentError. */
  call<T>(
    call: VendorCall & { readonly rate: ProviderTraits['rate'] },
    run: (signal: AbortSignal) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T>;
}

/** Programs of users may sleep inside; nothing sound takes longer. */
const longestCallMs = 130_000;
/** A provider that does not heed its signal is then left alone: it must not hold up its zone for ever. */
const leftAloneMs = longestCallMs + 20_000;
/** A vendor that asks for more patience than this gets its answer through the ladder of the lineage. */
const longestThrottleMs = 60_000;
const attempts = 6;

export function createVendor({
  limits,
  clock,
  log,
}: Pick<Ports, 'clock' | 'log'> & { readonly limits: Limits }): Vendor {
  async function once<T>(
    call: VendorCall,
    run: (signal: AbortSignal) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    const what = `the call to DNS account ${call.account}`;
    const deadline = createDeadline(longestCallMs, what, { clock, signals: [signal] });
    const last = createDeadline(leftAloneMs, what, { clock, signals: [] });
    try {
      return await orAborted(run(deadline.signal), last.signal);
    } catch (error) {
      throw deadline.signal.aborted ? deadline.signal.reason : error;
    } finally {
      deadline.end();
      last.end();
    }
  }

  return {
    async call(call, run, signal) {
      for (let attempt = 1; ; attempt++) {
        await limits.admit(call, call.rate, signal);
        try {
          return await once(call, run, signal);
        } catch (cause) {
          if (signal.aborted) throw signal.reason;
          const error = toAgentError(cause);
          const pauseMs = attempt < attempts ? pauseBefore(error, attempt, clock.now()) : undefined;
          if (pauseMs === undefined) throw error;
          log.debug({ account: call.account, code: error.code, pauseMs }, 'the DNS vendor is asked again');
          await clock.sleep(pauseMs, signal);
        }
      }
    },
  };
}

/** undefined: another try would not help. */
function pauseBefore(error: AgentError, attempt: number, now: number): number | undefined {
  const backOff = Math.round(100 * 2 ** attempt * (0.75 + Math.random() / 2));
  if (error.code === 'provider.throttled') {
    const pauseMs = error.retryAt === undefined ? 10 * backOff : Math.max(0, error.retryAt - now);
    return pauseMs <= longestThrottleMs ? pauseMs : undefined;
  }
  return error.code === 'provider.conflict' || error.retry === 'soon' ? backOff : undefined;
}
