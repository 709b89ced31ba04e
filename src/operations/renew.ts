import { z } from 'zod';
import { heldOf } from '../core/held-lineages.ts';
import type { NewEvent } from '../core/types.ts';
import { type Caller, defineOperation, type TaskStarted } from './define.ts';
import { certificateName } from './fields.ts';
import { findLineages, refuseUnrenewable } from './lineages.ts';
import { newTask, resumeRequests, startRequests, taskIdOf } from './requests.ts';

/** Answer of a command that asked for certificates. */
export interface Requested extends TaskStarted {
  readonly lineages: readonly string[];
}

export const renew = defineOperation({
  name: 'renew',
  kind: 'write',
  method: 'POST',
  path: '/certificates/{target}/renew',
  scope: 'operate',
  summary: 'Renews one certificate if it is due or failing, or in any case with force.',
  input: z.strictObject({
    target: certificateName.describe('Id of the certificate, or a host name'),
    force: z.boolean().optional().describe('Even if nothing is due'),
  }),
  run: async ({ target, force = false }, needs, caller): Promise<Requested> => {
    const id = taskIdOf('renew', caller);
    const known = await needs.tasks.get(id);
    if (known !== undefined) {
      await resumeRequests(known, { force }, needs);
      return { taskId: id, lineages: known.items.map((item) => item.id) };
    }
    const found = await findLineages(target, needs);
    for (const lineage of found) refuseUnrenewable(lineage);
    const lineages = found.map((lineage) => lineage.id);
    const task = newTask({ id, operation: 'renew', lineages }, caller, needs.clock.now());
    const requests = (await heldOf(found, needs)).map((held) => ({ held, force }));
    const event = commandEvent('renew', { task: id, lineages, force }, caller);
    await startRequests({ task, requests, event: { ...event, domain: found[0]?.domain } }, needs);
    return { taskId: id, lineages };
  },
});

/** The trail of a command that changes no wish. */
export function commandEvent(
  operation: string,
  facts: Readonly<Record<string, unknown>>,
  { requestedBy }: Caller,
): NewEvent {
  return { type: 'command.done', facts: { operation, ...facts, requestedBy } };
}
