import type { OperationNeeds } from '../../../src/operations/define.ts';
import { revoke } from '../../../src/operations/revoke.ts';
import { type World, www } from '../world.ts';

type Input = Parameters<typeof revoke.run>[0];

/** The command, as a worker carries it out; resolves with its task. */
export async function revokeIn(
  world: World,
  input: Partial<Input> = {},
  idempotencyKey?: string,
): Promise<string> {
  const unused = () => Promise.reject(new Error('not part of this story'));
  const accountChanges = { rollover: unused, deactivate: unused };
  const needs: OperationNeeds = { ...world.store, ...world.needs, accountChanges };
  const answer = await world.run(revoke.run({ target: www, ...input }, needs, { idempotencyKey }));
  return answer.taskId;
}
