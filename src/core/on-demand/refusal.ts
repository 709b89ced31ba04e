import type { AskRefusal, Instant } from '../types.ts';

export type Refuse = (reason: AskRefusal['reason'], message: string, ms: number) => AskRefusal;

/** Makes refusals that hold so long from now on. */
export function refuserAt({ now }: { now(): Instant }): Refuse {
  return (reason, message, ms) => ({ at: now(), until: now() + ms, reason, message });
}
