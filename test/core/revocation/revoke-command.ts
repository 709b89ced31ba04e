import { revoke } from '../../../src/operations/revoke.ts';
import { runIn } from '../run-command.ts';
import { type World, www } from '../world.ts';

type Input = Parameters<typeof revoke.run>[0];

/** Resolves with the task of the command. */
export async function revokeIn(
  world: World,
  input: Partial<Input> = {},
  idempotencyKey?: string,
): Promise<string> {
  const { taskId } = await runIn(world, revoke, { target: www, ...input }, { idempotencyKey });
  return taskId;
}
