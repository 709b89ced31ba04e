export interface Limit {
  readonly perSecond: number;
  readonly burst: number;
  /** Refusals say when to come back. */
  readonly retryAfter?: boolean | undefined;
}

/** A bucket as vendors count requests. */
export function createLimit(limit: Limit | undefined) {
  let tokens = limit?.burst ?? 0;
  let at = Date.now();
  let refusals = 0;
  return {
    refused: () => refusals,
    /** undefined: let through; otherwise whole seconds until the next would be. */
    take(): number | undefined {
      if (limit === undefined) return undefined;
      const now = Date.now();
      tokens = Math.min(limit.burst, tokens + ((now - at) / 1000) * limit.perSecond);
      at = now;
      if (tokens >= 1) {
        tokens -= 1;
        return undefined;
      }
      refusals++;
      return Math.ceil((1 - tokens) / limit.perSecond);
    },
  };
}
