import type { Notifier, Ports } from '../ports.ts';
import type { Domain, Settings } from '../types.ts';

export type TakersNeeds = Pick<Ports, 'notifiers' | 'log'> & { readonly settings: () => Settings };

/** Names that were reported as missing, once for each agent that runs. */
const reported = new WeakMap<Ports['notifiers'], Set<string>>();

/**
 * Who is told about a domain. For a name that the file no longer defines the default notifiers stand in: a failure that
 * nobody hears of is worse than one that too many hear of.
 */
export function takersOf(domain: Domain, needs: TakersNeeds): readonly Notifier[] {
  const takers = domain.notify.flatMap((name) => {
    const notifier = needs.notifiers.get(name);
    report(name, { domain, isMissing: notifier === undefined }, needs);
    return notifier ?? standIns(needs);
  });
  return [...new Map(takers.map((taker) => [taker.name, taker])).values()];
}

/** The default notifiers, or all where none of them is defined. */
export function standIns({ notifiers, settings }: TakersNeeds): readonly Notifier[] {
  const defaults = settings().defaults.notify.flatMap((name) => notifiers.get(name) ?? []);
  return defaults.length > 0 ? defaults : notifiers.all();
}

function report(
  name: string,
  { domain, isMissing }: { readonly domain: Domain; readonly isMissing: boolean },
  needs: TakersNeeds,
): void {
  const names = reported.get(needs.notifiers) ?? new Set();
  reported.set(needs.notifiers, names);
  if (!isMissing) names.delete(name);
  if (!isMissing || names.has(name)) return;
  names.add(name);
  needs.log.warn(
    { notifier: name, domain: domain.name, instead: standIns(needs).map((taker) => taker.name) },
    'the file defines no such notifier: others are told instead',
  );
}
