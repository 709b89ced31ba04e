import type { HeldLineage } from '../held-lineages.ts';
import { isWildcard, parentOf } from '../names.ts';
import { fallbackId, keyClassOf, lineageId } from '../policies.ts';
import type { Ports } from '../ports.ts';
import { bindingPatterns } from '../precedence.ts';
import type { Binding, Domain, Instant, Lineage, LineageId } from '../types.ts';
import { fitting, rivalsOf, type Showable, type Showing, showable } from './showing.ts';

/** What is held for a domain, or as much of it as one place may show. */
export interface Holdings {
  readonly domain: Pick<Domain, 'name' | 'keyTypes'>;
  readonly held: ReadonlyMap<LineageId, Showable>;
  readonly uploads: readonly LineageId[];
  readonly bindings: readonly Binding[];
}

type Needs = Pick<Ports, 'certificates' | 'renewals' | 'bindings'>;

/** All that the place of a lineage may show, from what is held. Pure. */
export function showingOf(lineage: Lineage, { domain, held, uploads, bindings }: Holdings): Showing {
  const patterns = new Set(lineage.wanted.names.flatMap(bindingPatterns));
  const bound = bindings.filter(({ name }) => patterns.has(name));
  const ids = [...uploads, ...issuedRivals(lineage), ...bound.flatMap(({ lineages }) => lineages)];
  return {
    lineage,
    own: held.get(lineage.id),
    fallback: held.get(fallbackOf(lineage)),
    rivals: fitting(lineage, rivalsOf(lineage, held, ids), domain.keyTypes),
    bindings: new Map(bound.map(({ name, lineages }) => [name, lineages])),
  };
}

/** What the place of one lineage may show, in two round trips: its domain may have thousands of others. */
export async function readShowing(
  lineage: Lineage,
  domain: Holdings['domain'],
  needs: Needs,
): Promise<Showing> {
  const patterns = [...new Set(lineage.wanted.names.flatMap(bindingPatterns))];
  const [uploads, bindings] = await Promise.all([
    needs.certificates.uploads(lineage.domain),
    needs.bindings.among(patterns),
  ]);
  const ids = [
    ...[lineage.id, fallbackOf(lineage)],
    ...uploads.map(({ id }) => id),
    ...issuedRivals(lineage),
    ...bindings.flatMap((binding) => binding.lineages),
  ];
  const own = new Set(uploads.map(({ id }) => id));
  const held = await readHeld([...new Set(ids)], (id) => isOf(domain.name, id, own), needs);
  return showingOf(lineage, { domain, held, uploads: [...own], bindings });
}

/** All that the places of a domain may show: `held` are all its lineages, `bindings` all that there are. */
export async function readHoldings(
  domain: Holdings['domain'],
  { held: own, bindings }: { readonly held: readonly HeldLineage[]; readonly bindings: readonly Binding[] },
  needs: Needs,
): Promise<Holdings> {
  const known = new Set(own.map(({ lineage }) => lineage.id));
  const foreign = bindings.flatMap((binding) => binding.lineages).filter((id) => !known.has(id));
  const held = await readHeld([...new Set(foreign)], () => undefined, needs);
  for (const { lineage, certificate, state } of own) {
    const one = showable(certificate, { domain: domain.name, revokedAt: state.revokedAt });
    if (one !== undefined) held.set(lineage.id, one);
  }
  const uploads = own.filter(({ lineage }) => lineage.source === 'upload').map(({ lineage }) => lineage.id);
  return { domain, held, uploads, bindings };
}

/**
 * Whether a lineage has a place of its own at the targets of its domain: one that is ordered for, while it is wanted; an
 * upload, where no such one has the place of its label and kind of key.
 */
export async function hasPlace(
  lineage: Lineage,
  domain: Pick<Domain, 'disabledAt'>,
  { certificates }: Pick<Ports, 'certificates'>,
): Promise<boolean> {
  if (lineage.source === 'acme') return lineage.policy !== undefined && lineage.unwantedSince === undefined;
  if (lineage.source === 'self-signed' || domain.disabledAt !== undefined) return false;
  if (lineage.current === undefined) return false;
  return (await placeHolder(lineage, { certificates })) === undefined;
}

/** The lineage that is ordered for and has the place of the label and kind of key of this one. */
export async function placeHolder(
  { domain, label, wanted }: Lineage,
  { certificates }: Pick<Ports, 'certificates'>,
): Promise<Lineage | undefined> {
  const held = await certificates.lineage(lineageId(`${domain}/${label}`, keyClassOf(wanted.keyType)));
  return held?.unwantedSince === undefined ? held : undefined;
}

function fallbackOf({ id, policy }: Lineage): LineageId {
  return fallbackId(policy ?? id);
}

/** Where issued ones would be that cover a name of it: at its wildcard, for an upload also at its own label. */
function issuedRivals({ domain, label, wanted, source }: Lineage): readonly LineageId[] {
  const stars = wanted.names.flatMap((name) => (isWildcard(name) ? [] : (parentOf(name) ?? [])));
  const labels = [...(source === 'upload' ? [label] : []), ...stars.map((parent) => `*.${parent}`)];
  return [...new Set(labels)].flatMap((one) =>
    (['ec', 'rsa'] as const).map((keyClass) => lineageId(`${domain}/${one}`, keyClass)),
  );
}

/** By its id, a lineage is of this domain; the ids of uploads do not tell. */
function isOf(domain: string, id: LineageId, uploads: ReadonlySet<LineageId>): string | undefined {
  return id.startsWith(`${domain}/`) || uploads.has(id) ? domain : undefined;
}

/** Of these lineages those that have a certificate. `domainOf`: for which domain it counts as its own. */
export async function readHeld(
  ids: readonly LineageId[],
  domainOf: (id: LineageId) => string | undefined,
  { certificates, renewals }: Pick<Needs, 'certificates' | 'renewals'>,
): Promise<Map<LineageId, Showable>> {
  const [currents, states] = await Promise.all([certificates.currents(ids), renewals.many(ids)]);
  const found = new Map<LineageId, Showable>();
  for (const [index, id] of ids.entries()) {
    const revokedAt: Instant | undefined = states[index]?.revokedAt;
    const one = showable(currents[index], { domain: domainOf(id), revokedAt });
    if (one !== undefined) found.set(id, one);
  }
  return found;
}
