import type { Fence, Ports } from '../ports.ts';
import { deployAt, editRenewal } from '../records.ts';
import type { Bundle, Lineage, NewEvent, Settings } from '../types.ts';
import { acquired } from './acquired.ts';
import { dueOfLineage } from './next-action.ts';
import { recoveredEvents } from './outcome.ts';

export type TakeOverNeeds = Pick<Ports, 'renewals' | 'changes' | 'clock'> & {
  readonly settings: () => Settings;
};

export interface TakeOver {
  readonly lineage: Lineage;
  readonly generation: Bundle;
  /** For the trail: why it is held without an order. */
  readonly reason: string;
  /** Targets that are to get it now. */
  readonly deploy?: readonly string[] | undefined;
  readonly fence?: Fence | undefined;
}

/** Stores a certificate that was not ordered here as the next generation of a lineage; it is renewed when it is due. */
export async function takeOver(given: TakeOver, needs: TakeOverNeeds): Promise<void> {
  const { lineage, generation, reason, deploy = [], fence } = given;
  const { certificate } = generation;
  await editRenewal(lineage.id, needs, (before) => {
    const now = needs.clock.now();
    const state = acquired(before, { lineage, certificate, requested: before.requested, now }, needs);
    const told = state.leftOut === undefined ? recoveredEvents(before, certificate, lineage.domain) : [];
    const { serial, notAfter, names } = certificate;
    const facts = { reason, serial, notAfter, names };
    const event: NewEvent = {
      type: 'certificate.issued',
      domain: lineage.domain,
      lineage: lineage.id,
      facts,
    };
    return {
      fence,
      generation,
      putRenewals: [state],
      due: [...dueOfLineage({ lineage, certificate, state, now }), ...deployAt(deploy, lineage.id, now)],
      events: [event, ...told],
      durable: true,
    };
  });
}
