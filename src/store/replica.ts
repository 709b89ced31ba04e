import type { Redis } from 'ioredis';
import { AgentError } from '../core/errors.ts';
import { isRefusal } from './inspect.ts';
import { masterOf } from './master-connector.ts';
import type { Sentinels } from './sentinel.ts';

/** Far longer than a replica that is well takes, and short enough for a caller that has a retry of its own. */
const copyMs = 2_000;

/**
 * Returns when a replica has all that this connection wrote. A master that is being replaced goes on answering for a
 * while, but its replica is gone then: what it takes in that time is lost, so that must not pass for written. A
 * master whose replicas are known to be away is trusted alone.
 */
export async function awaitReplica(
  node: Redis,
  { sentinels, address }: { readonly sentinels: Sentinels; readonly address: string },
): Promise<void> {
  try {
    if ((await countReplicas(node)) > 0 && (await node.wait(1, copyMs)) > 0) return;
    const master = masterOf(node);
    if (master !== undefined && (await sentinels.isAlone(master))) return;
  } catch (error) {
    if (!isRefusal(error)) throw error;
    const reason = `cannot be asked whether its replicas have a write: ${error.message}`;
    throw new AgentError('store.durability', `Redis at ${address} ${reason}`);
  }
  throw new AgentError(
    'store.unavailable',
    `Redis at ${address} took a write that no replica has; it may be about to be replaced`,
  );
}

/** Those that take part in replication now. */
async function countReplicas(node: Redis): Promise<number> {
  const [role, , replicas] = await node.role();
  return role === 'master' && Array.isArray(replicas) ? replicas.length : 0;
}
