import type { Ports } from '../core/ports.ts';
import type { ProviderTraits } from '../core/provider.ts';
import type { Instant } from '../core/types.ts';

/** One call to a DNS vendor, as its limits count it. */
export interface VendorCall {
  /** Name of the DNS account. */
  readonly account: string;
  /** undefined: the call is about no zone in particular. */
  readonly zone?: string | undefined;
  readonly changes: number;
}

export interface Limits {
  /** True: the call may be made now and is counted; otherwise when to ask again. */
  tryAdmit(call: VendorCall, rate: ProviderTraits['rate']): Promise<true | { readonly readyAt: Instant }>;
  /** Waits until the call may be made. */
  admit(call: VendorCall, rate: ProviderTraits['rate'], signal: AbortSignal): Promise<void>;
}

/**
 * The vendors' limits, counted over all agents on the store. A bucket is one an account; one whose name starts with
 * `zone` is one a zone, and calls about no zone do not count in it.
 */
export function createLimits({ buckets, clock }: Pick<Ports, 'buckets' | 'clock'>): Limits {
  async function tryAdmit(
    { account, zone, changes }: VendorCall,
    rate: ProviderTraits['rate'],
  ): Promise<true | { readonly readyAt: Instant }> {
    const takes = rate.flatMap(({ bucket, perSecond, burst, costOf }) => {
      const perZone = bucket.startsWith('zone');
      if (perZone && zone === undefined) return [];
      // A call dearer than the bucket is deep would wait for ever.
      const cost = Math.min(costOf === 'call' ? 1 : changes, burst);
      const key = perZone ? `dns/${account}/${zone}/${bucket}` : `dns/${account}/${bucket}`;
      return cost === 0 ? [] : [{ key, capacity: burst, perSecond, cost }];
    });
    if (takes.length === 0) return true;
    const { taken, readyAt } = await buckets.take(takes, clock.now());
    return taken || { readyAt };
  }

  async function admit(call: VendorCall, rate: ProviderTraits['rate'], signal: AbortSignal): Promise<void> {
    for (;;) {
      const answer = await tryAdmit(call, rate);
      if (answer === true) return;
      await clock.sleep(Math.max(1, answer.readyAt - clock.now()), signal);
    }
  }

  return { tryAdmit, admit };
}
