import { covers, isWildcard } from '../names.ts';
import type { Ports } from '../ports.ts';
import { bindingPatterns } from '../precedence.ts';
import { deployAt } from '../records.ts';
import type { Domain, Instant, Lineage } from '../types.ts';

export type AffectedNeeds = Pick<Ports, 'wishes' | 'certificates' | 'bindings'>;

type DueDeploy = ReturnType<typeof deployAt>[number];

/**
 * Due entries of the places of a domain that may have something else to show once a certificate with these names is
 * there, is another one, or is gone. Whether they do is found out when they are deployed.
 */
export async function placesCovered(
  {
    domain: name,
    names,
    now,
  }: { readonly domain: string; readonly names: readonly string[]; readonly now: Instant },
  { wishes, certificates }: AffectedNeeds,
): Promise<readonly DueDeploy[]> {
  const domain = await wishes.domain(name);
  if (domain === undefined || domain.deploy.length === 0) return [];
  const isCovered = ({ wanted }: Lineage) =>
    wanted.names.some((one) => names.some((held) => covers(held, one)));
  const lineages = (await certificates.lineages(name)).filter(isCovered);
  return placesOf(lineages, domain, now);
}

/** The same of the places for which something is bound, or is no longer, under these names. */
export async function placesBound(
  names: readonly string[],
  now: Instant,
  { wishes, certificates }: AffectedNeeds,
): Promise<readonly DueDeploy[]> {
  const asked = new Set(names);
  const isBound = ({ wanted }: Lineage) =>
    wanted.names.some((one) => bindingPatterns(one).some((pattern) => asked.has(pattern)));
  const exact = names.every((name) => !name.includes('*'));
  const found = exact
    ? await Promise.all(names.map((name) => wishes.domainOf(name)))
    : await wishes.domains();
  const domains = new Map(
    found.flatMap((domain) => (domain === undefined ? [] : [[domain.name, domain] as const])),
  );
  const places: DueDeploy[] = [];
  for (const domain of domains.values()) {
    if (domain.deploy.length === 0) continue;
    const lineages = (await certificates.lineages(domain.name)).filter(isBound);
    places.push(...placesOf(lineages, domain, now));
  }
  return places;
}

/** Of all places but its own that may show the certificate of a lineage; there are few of such lineages. */
export async function placesElsewhere(
  { id, domain, label, wanted }: Lineage,
  now: Instant,
  needs: AffectedNeeds,
): Promise<readonly DueDeploy[]> {
  const bound = await needs.bindings.of(id);
  const [covered, asked] = await Promise.all([
    isWildcard(label) ? placesCovered({ domain, names: wanted.names, now }, needs) : [],
    bound.length === 0
      ? []
      : placesBound(
          bound.map(({ name }) => name),
          now,
          needs,
        ),
  ]);
  return [...new Map([...covered, ...asked].map((place) => [place.id, place])).values()];
}

/** Of those that have one; who has none is told when the job looks. */
function placesOf(lineages: readonly Lineage[], { deploy }: Domain, now: Instant): readonly DueDeploy[] {
  return lineages
    .filter(({ source, unwantedSince }) => source !== 'self-signed' && unwantedSince === undefined)
    .flatMap(({ id }) => deployAt(deploy, id, now));
}
