import type { HeldLineage } from '../held-lineages.ts';
import type { Fence, Ports } from '../ports.ts';
import type { Certificate, Domain, Instant, Issuance, RenewalState, Settings } from '../types.ts';
import type { Case } from './decide.ts';
import { renewalPoint } from './renewal.ts';

export type OutcomeNeeds = Pick<
  Ports,
  | 'wishes'
  | 'certificates'
  | 'bindings'
  | 'renewals'
  | 'changes'
  | 'issuerHealth'
  | 'budget'
  | 'tasks'
  | 'jobs'
  | 'clock'
  | 'log'
> & {
  readonly settings: () => Settings;
  readonly random: () => number;
};

/** A lineage under its lock, as it was read. */
export interface Held extends HeldLineage {
  readonly domain: Domain;
  /** Order under way. */
  readonly open: Issuance | undefined;
  readonly fence: Fence;
}

/** Tells the task of the request that was worked on. */
export async function settle(
  held: Held,
  result: { state: 'done' | 'failed' | 'skipped'; note: string },
  needs: OutcomeNeeds,
): Promise<void> {
  const task = held.state.requested?.task;
  if (task !== undefined) await needs.tasks.settle(task, { id: held.lineage.id, ...result });
}

/** `window`: the CA's advice on this certificate, if there is any. */
export function pointOf(
  certificate: Certificate,
  needs: Pick<OutcomeNeeds, 'settings'>,
  window: RenewalState['window'],
): Instant {
  return renewalPoint(certificate, {
    lineage: certificate.lineage,
    ceilingMs: needs.settings().renewalCeilingMs,
    window,
  });
}

export function toCase({ lineage, certificate, state }: Held, { clock }: OutcomeNeeds): Case {
  return { lineage, certificate, state, now: clock.now() };
}

/** When what is held expires, if it has not. */
export function stillValid(certificate: Certificate | undefined, now: Instant): Instant | undefined {
  return certificate === undefined || certificate.notAfter <= now ? undefined : certificate.notAfter;
}
