import type { Bundle, LineageId, RenewalState, TaskItem } from '../../../src/core/types.ts';
import { minute } from '../given.ts';
import { type World, www } from '../world.ts';

/** What the tests of revocation look at in the world of now. */
export function observe(world: () => World) {
  async function held(lineage: LineageId = www): Promise<Bundle> {
    const bundle = await world().store.certificates.bundle(lineage);
    if (bundle === undefined) throw new Error(`${lineage} holds nothing`);
    return bundle;
  }

  return {
    held,
    /** A host with its certificate at its target. */
    async inUse(): Promise<Bundle> {
      await world().want({ issuers: ['first'] });
      await world().live(minute);
      return held();
    },
    stateOf: (lineage: LineageId = www): Promise<RenewalState> => world().store.renewals.get(lineage),
    revoked: () => world().first.revocations.map(({ serial }) => serial),
    shown: () => world().web.shows(www)?.certificate,
    itemsOf: async (task: string): Promise<readonly TaskItem[] | undefined> =>
      (await world().store.tasks.get(task))?.items,
  };
}
