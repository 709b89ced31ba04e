import { z } from 'zod';
import { heldOf } from '../core/held-lineages.ts';
import { defineOperation } from './define.ts';
import { certificateName } from './fields.ts';
import { findLineages, refuseUnrenewable } from './lineages.ts';
import { commandEvent, type Requested } from './renew.ts';
import { newTask, resumeRequests, startRequests, taskIdOf } from './requests.ts';

const how = { force: false, isResumed: true };

export const retry = defineOperation({
  name: 'retry',
  kind: 'write',
  method: 'POST',
  path: '/certificates/{target}/retry',
  scope: 'operate',
  summary:
    'Tries at once what failed, also at an issuer that had paused it or asked to be left alone; never against a limit that we know.',
  input: z.strictObject({ target: certificateName.describe('Id of the certificate, or a host name') }),
  run: async ({ target }, needs, caller): Promise<Requested> => {
    const id = taskIdOf('retry', caller);
    const known = await needs.tasks.get(id);
    if (known !== undefined) {
      await resumeRequests(known, how, needs);
      return { taskId: id, lineages: known.items.map((item) => item.id) };
    }
    const found = await findLineages(target, needs);
    for (const lineage of found) refuseUnrenewable(lineage);
    const lineages = found.map((lineage) => lineage.id);
    const task = newTask({ id, operation: 'retry', lineages }, caller, needs.clock.now());
    const requests = (await heldOf(found, needs)).map((held) => ({ held, ...how }));
    for (const { wanted } of found)
      for (const issuer of wanted.issuers) await needs.budget.endHolds(issuer, wanted.names);
    const event = commandEvent('retry', { task: id, lineages }, caller);
    await startRequests({ task, requests, event: { ...event, domain: found[0]?.domain } }, needs);
    return { taskId: id, lineages };
  },
});
