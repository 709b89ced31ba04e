import type { Ports } from '../ports.ts';
import { endOf } from '../precedence.ts';
import type { Binding, Certificate, RenewalState } from '../types.ts';
import { withBindings } from './bind.ts';

export type LapsedNeeds = Pick<
  Ports,
  'bindings' | 'certificates' | 'renewals' | 'changes' | 'locks' | 'clock' | 'log'
>;

/** Name of the chore that does this. */
export const lapsedChore = 'bindings';

/**
 * Tells people of each binding of which nothing valid is left: something else is shown there, or a warning. Once, until
 * it is well again. A chore; may run twice.
 */
export async function tellLapsed(needs: LapsedNeeds): Promise<void> {
  const bindings = await needs.bindings.all();
  const ids = [...new Set(bindings.flatMap(({ lineages }) => lineages))];
  const [currents, states] = await Promise.all([needs.certificates.currents(ids), needs.renewals.many(ids)]);
  for (const binding of bindings) {
    const held = binding.lineages.map((id) => ({
      certificate: currents[ids.indexOf(id)],
      state: states[ids.indexOf(id)],
    }));
    const isLapsed = !held.some((one) => isValid(one, needs.clock.now()));
    if (isLapsed === (binding.lapsedAt !== undefined)) continue;
    await mark(binding, { isLapsed, last: held[0]?.certificate }, needs);
  }
}

interface Held {
  readonly certificate: Certificate | undefined;
  readonly state: RenewalState | undefined;
}

function isValid({ certificate, state }: Held, now: number): boolean {
  return certificate !== undefined && state?.revokedAt === undefined && now < endOf({ certificate });
}

async function mark(
  seen: Binding,
  { isLapsed, last }: { readonly isLapsed: boolean; readonly last: Certificate | undefined },
  needs: LapsedNeeds,
): Promise<void> {
  await withBindings(needs, async (fence) => {
    const binding = await needs.bindings.get(seen.name);
    if (binding === undefined || String(binding.lineages) !== String(seen.lineages)) return;
    const now = needs.clock.now();
    const [lineage = ''] = binding.lineages;
    const domain = (await needs.certificates.lineage(lineage))?.domain;
    const message = `${lineage} is bound to ${binding.name}, and is ${last !== undefined && last.notAfter <= now ? 'expired' : 'revoked or gone'}: something else is shown there`;
    const advice = `Renew or upload its successor, or bind another one: acme-agent bind ${binding.name} ID --replace.`;
    const facts = { names: [binding.name], notAfter: last?.notAfter, message, advice };
    await needs.changes.commit({
      fence,
      putBindings: [{ ...binding, lapsedAt: isLapsed ? now : undefined }],
      events: isLapsed ? [{ type: 'binding.lapsed', domain, lineage, facts }] : [],
    });
    needs.log.warn(
      { name: binding.name, lineage, isLapsed },
      isLapsed ? 'what is bound is not valid' : 'what is bound is valid again',
    );
  });
}
