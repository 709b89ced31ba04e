import { AgentError } from '../core/errors.ts';
import type { Ports } from '../core/ports.ts';
import type { ProviderTraits } from '../core/provider.ts';
import type { BucketTake, Instant } from '../core/types.ts';
import type { Throttle } from './throttle.ts';

/** One call to a DNS vendor, as its limits count it. */
export interface VendorCall {
  /** Name of the DNS account. */
  readonly account: string;
  /** undefined: the call is about no zone in particular. */
  readonly zone?: string | undefined;
  readonly changes: number;
  readonly rate: ProviderTraits['rate'];
}

export interface Limits {
  /** True: the call may be made now and is counted; otherwise when to ask again. */
  tryAdmit(call: VendorCall): Promise<true | { readonly readyAt: Instant }>;
  /** Waits until the call may be made. Throws `provider.throttled` with the instant where that is after `latest`. */
  admit(call: VendorCall, latest: Instant, signal: AbortSignal): Promise<void>;
  /** The vendor refused the call as one too many: nobody calls before `until`, and then less often. */
  refused(call: VendorCall, until: Instant): Promise<void>;
}

/** For a vendor that says that it has limits, but not beforehand which. */
const assumed = { bucket: 'assumed', perSecond: 4, burst: 4, costOf: 'call' } as const;

/**
 * The vendors' limits, counted over all agents on the store. A bucket is one an account; one whose name starts with
 * `zone` is one a zone, and calls about no zone do not count in it.
 */
export function createLimits({
  buckets,
  throttle,
  metrics,
  clock,
}: Pick<Ports, 'buckets' | 'metrics' | 'clock'> & { readonly throttle: Throttle }): Limits {
  async function tryAdmit(call: VendorCall): Promise<true | { readonly readyAt: Instant }> {
    const takes = takesOf(call, await throttle.share(call.account));
    const { taken, readyAt } = await buckets.take(takes, clock.now());
    return taken || { readyAt };
  }

  async function admit(call: VendorCall, latest: Instant, signal: AbortSignal): Promise<void> {
    const since = clock.now();
    for (;;) {
      const answer = await tryAdmit(call);
      if (answer === true) break;
      const waitMs = answer.readyAt - clock.now();
      if (answer.readyAt > latest) throw exhausted(call, answer.readyAt, waitMs);
      await clock.sleep(Math.max(1, waitMs), signal);
    }
    const waitedMs = clock.now() - since;
    if (waitedMs > 0)
      metrics.observe('dns_wait_seconds', { account: call.account, for: 'limit' }, waitedMs / 1000);
  }

  async function refused(call: VendorCall, until: Instant): Promise<void> {
    await throttle.tighten(call.account);
    const takes = takesOf(call, await throttle.share(call.account));
    await buckets.drain(takes, until, clock.now());
  }

  return { tryAdmit, admit, refused };
}

function takesOf({ account, zone, changes, rate }: VendorCall, share: number): readonly BucketTake[] {
  const limits = rate.length === 0 && share < 1 ? [assumed] : rate;
  // Nothing is taken from it, so it is empty only until the instant that the vendor said: rates grow meanwhile.
  const rest = { key: `dns/${account}/rest`, capacity: 1, perSecond: 1, cost: 0, least: 1 };
  const takes = limits.flatMap(({ bucket, perSecond, burst, costOf }) => {
    const perZone = bucket.startsWith('zone');
    if (perZone && zone === undefined) return [];
    const capacity = Math.max(1, burst * share);
    // A call dearer than the bucket is deep would wait for ever.
    const cost = Math.min(costOf === 'call' ? 1 : changes, capacity);
    const key = perZone ? `dns/${account}/${zone}/${bucket}` : `dns/${account}/${bucket}`;
    return cost === 0 ? [] : [{ key, capacity, perSecond: perSecond * share, cost }];
  });
  return [rest, ...takes];
}

function exhausted({ account }: VendorCall, retryAt: Instant, waitMs: number): AgentError {
  const words = `the limits of the vendor of DNS account ${account} are used up for ${Math.round(waitMs / 1000)} s`;
  return new AgentError('provider.throttled', words, { retryAt, facts: { account } });
}
