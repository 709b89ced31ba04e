import { z } from 'zod';
import { AgentError } from '../core/errors.ts';
import { removeUpload } from '../core/uploads/remove.ts';
import { purge } from '../core/wishes/purge.ts';
import { defineOperation } from './define.ts';
import { certificateName } from './fields.ts';

export const certsRemove = defineOperation({
  name: 'certs.remove',
  kind: 'write',
  method: 'DELETE',
  path: '/certificates/{id}',
  scope: 'admin',
  summary: 'Deletes a certificate with its keys: one that was uploaded, or that nobody asks for any more.',
  input: z.strictObject({
    id: certificateName.describe('Id of the certificate'),
    force: z.boolean().optional().describe('Also if visitors then get nothing that they trust'),
  }),
  run: async ({ id, force = false }, needs, caller): Promise<{ readonly removed: string }> => {
    const lineage = await needs.certificates.lineage(id);
    if (lineage === undefined && caller.isRepeat === true) return { removed: id };
    if (lineage === undefined)
      throw new AgentError('command.notFound', `there is no certificate ${id}; "certs list" shows the ids`);
    const { requestedBy } = caller;
    if (lineage.source === 'upload') {
      await removeUpload({ lineage: id, force, requestedBy }, needs);
      return { removed: id };
    }
    const kept = await purge(id, requestedBy, needs);
    if (kept !== undefined) throw new AgentError('command.conflict', `${id} is not deleted: ${kept}`);
    return { removed: id };
  },
});
