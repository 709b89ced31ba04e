import type { Ports } from '../ports.ts';
import { ownDomain } from '../precedence.ts';
import type { Binding } from '../types.ts';
import { type BindNeeds, rebind, withBindings } from './bind.ts';
import { isEndpoint } from './names.ts';

/** What is bound to names that belong to a domain, and to no longer one; patterns that reach further are of none. */
export async function boundUnder(
  domain: string,
  { wishes, bindings }: Pick<Ports, 'wishes' | 'bindings'>,
): Promise<readonly Binding[]> {
  const [domains, all] = await Promise.all([wishes.domains(), bindings.all()]);
  const known = new Set([domain, ...domains.map(({ name }) => name)]);
  return all.filter(({ name }) => !isEndpoint(name) && ownDomain(name, known) === domain);
}

/** The names of a domain that is gone are shown nothing any more, whoever takes it up again. */
export async function unbindAll(
  bound: readonly Binding[],
  { domain, requestedBy }: { readonly domain: string; readonly requestedBy?: string | undefined },
  needs: BindNeeds,
): Promise<void> {
  if (bound.length === 0) return;
  await withBindings(needs, async (fence) => {
    const remove = await needs.bindings.among(bound.map(({ name }) => name));
    await rebind({ put: [], remove, domainOf: () => domain, requestedBy }, fence, needs);
  });
}
