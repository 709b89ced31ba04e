import { z } from 'zod';
import { AgentError } from '../core/errors.ts';
import { editHeld, heldOf } from '../core/held-lineages.ts';
import { isReminded, longestSilenceMs, silenceUntil } from '../core/notice/reminders.ts';
import { reminderOf } from '../core/renewal/next-action.ts';
import type { Instant, Lineage, LineageId } from '../core/types.ts';
import { type Caller, defineOperation, type OperationNeeds } from './define.ts';
import { certificateName, duration, durationMs } from './fields.ts';
import { findLineages } from './lineages.ts';

export interface Acknowledged {
  readonly lineages: readonly string[];
  readonly silencedUntil: Instant;
}

export const ack = defineOperation({
  name: 'ack',
  kind: 'write',
  method: 'POST',
  path: '/reminders/{name}/ack',
  scope: 'operate',
  summary: 'Silences the reminders about a failing certificate for a while; never its last three days.',
  input: z.strictObject({
    name: certificateName.describe('Host name, domain, or id of the certificate'),
    for: duration.optional().describe('How long, at most and by default 7d'),
  }),
  run: async (input, needs, caller): Promise<Acknowledged> => {
    const forMs = input.for === undefined ? longestSilenceMs : durationMs(input.for);
    if (forMs > longestSilenceMs)
      throw new AgentError(
        'command.invalid',
        `for: ${input.for} is longer than 7d; reminders cannot be silent longer`,
      );
    const found = await heldOf(await mean(input.name, needs), needs);
    const now = needs.clock.now();
    const failing = found.filter((held) => isReminded({ ...held, now }));
    if (failing.length === 0)
      throw new AgentError(
        'command.conflict',
        `nothing fails for ${input.name}; there is no reminder to silence`,
      );
    const silencedUntil = silenceUntil(forMs, now);
    for (const { lineage } of failing) await silence(lineage.id, silencedUntil, { needs, caller });
    return { lineages: failing.map(({ lineage }) => lineage.id), silencedUntil };
  },
});

/** A domain means all its certificates. */
async function mean(name: string, needs: OperationNeeds): Promise<readonly Lineage[]> {
  const domain = await needs.wishes.domain(name);
  return domain === undefined ? findLineages(name, needs) : needs.certificates.lineages(domain.name);
}

async function silence(
  id: LineageId,
  until: Instant,
  { needs, caller }: { needs: OperationNeeds; caller: Caller },
): Promise<void> {
  const { requestedBy } = caller;
  await editHeld(id, needs, ({ lineage, state, certificate }) => {
    const next = { ...state, reminders: { ...state.reminders, silencedUntil: until } };
    const facts = { until, names: lineage.wanted.names, requestedBy };
    return {
      putRenewals: [next],
      due: [reminderOf({ lineage, certificate, state: next, now: needs.clock.now() })],
      events: [{ type: 'reminder.acknowledged', domain: lineage.domain, lineage: id, facts }],
    };
  });
}
