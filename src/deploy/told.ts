import type { PluginState } from '../core/plugin.ts';
import type { DeployRequest } from '../core/ports.ts';

/**
 * What a target took for each slot, for targets that cannot be looked at: written after it was taken, so after a kill or
 * a lost answer the old one stands here, and the target is told once more.
 */
export interface Told {
  last(slot: DeployRequest['slot']): Promise<string | undefined>;
  /** undefined: it was told to take it away. */
  note(slot: DeployRequest['slot'], fingerprint: string | undefined): Promise<void>;
}

export function createTold(state: PluginState): Told {
  const keyOf = ({ lineage }: DeployRequest['slot']) => `told:${lineage}`;
  return {
    last: async (slot) => (await state.get(keyOf(slot))) || undefined,
    note: (slot, fingerprint) => state.set(keyOf(slot), fingerprint ?? ''),
  };
}
