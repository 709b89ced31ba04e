import { editHeld } from '../held-lineages.ts';
import type { Ports } from '../ports.ts';
import { reminderOf } from '../renewal/next-action.ts';
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
    const { lastFailure, failures, retryAt } = state;
    const facts = {
      ...lastFailure,
      number: state.reminders.count + 1,
      names: lineage.wanted.names,
      failures,
      retryAt,
      notAfter: certificate?.notAfter,
    };
    return {
      putRenewals: [next],
      due: [reminderOf({ lineage, certificate, state: next, now })],
      events: [{ type: 'certificate.reminder', domain: lineage.domain, lineage: lineageId, facts }],
    };
  });
  if (!isThere) await needs.changes.commit({ due: [{ job: 'remind', id: lineageId, at: undefined }] });
}
