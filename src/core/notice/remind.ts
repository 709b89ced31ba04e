import { editHeld } from '../held-lineages.ts';
import type { Ports } from '../ports.ts';
import type { Case } from '../renewal/decide.ts';
import { reminderOf } from '../renewal/next-action.ts';
import type { NewEvent } from '../types.ts';
import { nextReminder } from './reminders.ts';

export type RemindNeeds = Pick<Ports, 'certificates' | 'renewals' | 'changes' | 'clock'>;

/** Says once more, if it is time, that a lineage fails. The number counts what people got, not what we tried. */
export async function remind(lineageId: string, needs: RemindNeeds): Promise<void> {
  const isThere = await editHeld(lineageId, needs, ({ lineage, certificate, state }) => {
    const now = needs.clock.now();
    const at = nextReminder({ lineage, certificate, state, now });
    if (at === undefined || at > now) return { due: [{ job: 'remind', id: lineageId, at }] };
    const openedAt = state.reminders.openedAt ?? now;
    const next = {
      ...state,
      reminders: { ...state.reminders, openedAt, lastAt: now, toldAt: state.reminders.toldAt ?? now },
    };
    const event = eventOf({ lineage, certificate, state, now });
    return {
      putRenewals: [next],
      due: [reminderOf({ lineage, certificate, state: next, now })],
      events: [{ ...event, domain: lineage.domain, lineage: lineageId }],
    };
  });
  if (!isThere) await needs.changes.commit({ due: [{ job: 'remind', id: lineageId, at: undefined }] });
}

function eventOf({ lineage, certificate, state, now }: Case): NewEvent {
  const { lastFailure, failures, retryAt, reminders } = state;
  const facts = {
    number: reminders.count + 1,
    names: lineage.wanted.names,
    notAfter: certificate?.notAfter,
  };
  if (lineage.source !== 'upload')
    return { type: 'certificate.reminder', facts: { ...lastFailure, ...facts, failures, retryAt } };
  const { notAfter = now, issuerName } = certificate ?? {};
  const day = new Date(notAfter).toISOString().slice(0, 10);
  const message = `the certificate ${lineage.id} of ${issuerName}, which was uploaded, ${notAfter > now ? 'expires' : 'expired'} on ${day}; only a person can bring the next one`;
  const advice = `Have your CA issue the next one and upload it: acme-agent certs add FILE --replace ${lineage.id}. If it is of no use any more: acme-agent certs remove ${lineage.id}.`;
  return { type: 'certificate.expiring', facts: { ...facts, message, advice } };
}
