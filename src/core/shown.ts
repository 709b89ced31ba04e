import { readHeld } from './deploy/holdings.ts';
import type { Showable } from './deploy/showing.ts';
import { covers, isWildcard, parentOf } from './names.ts';
import { fallbackId, keyClassOf, lineageId } from './policies.ts';
import type { Ports } from './ports.ts';
import { bindingPatterns, type Choice, choiceEndsAt, choose, endOf, type Question } from './precedence.ts';
import type { Binding, Certificate, Domain, Instant, LineageId } from './types.ts';

/** What a client is shown that asks for one name. */
export interface Shown {
  /** The one chosen, then its equal of the other kind of key. Empty: nothing is held that holds. */
  readonly certificates: readonly Certificate[];
  /** All that may be shown for the name, held or not. */
  readonly considered: readonly LineageId[];
  /** When something else is shown by itself. */
  readonly endsAt: Instant | undefined;
}

type Needs = Pick<Ports, 'wishes' | 'certificates' | 'bindings' | 'renewals'>;

export interface AskedName {
  readonly name: string;
  readonly now: Instant;
  /** Of the platform, where the client came to; absent: none that has a name. */
  readonly endpoint?: string | undefined;
}

/** Reads what there is for a name, and chooses by the order of `choose`. */
export async function readShown({ name, now, endpoint }: AskedName, needs: Needs): Promise<Shown> {
  const [domain, bindings] = await Promise.all([
    needs.wishes.domainOf(name),
    needs.bindings.among(boundNames(name, endpoint)),
  ]);
  const own = new Set(domain === undefined ? [] : await lineagesFor(name, domain, needs));
  const considered = [...new Set([...own, ...bindings.flatMap(({ lineages }) => lineages)])];
  const held = await readHeld(considered, (id) => (own.has(id) ? domain?.name : undefined), needs);
  const question: Question<Showable> = {
    names: [name],
    domain: domain?.name,
    bindings: boundLineages(bindings, endpoint),
    candidates: [...held.values()],
    now,
  };
  const choices = pairOf(question);
  const ends = choices.flatMap((choice) => choiceEndsAt(choice, question) ?? []);
  return {
    certificates: choices.map(({ candidate }) => candidate.certificate),
    considered,
    endsAt: ends.length === 0 ? undefined : Math.min(...ends),
  };
}

/** What is bound to the endpoint is for all names there, as what is bound to `*` is everywhere; it comes before that. */
function boundLineages(
  bindings: readonly Binding[],
  endpoint: string | undefined,
): ReadonlyMap<string, readonly LineageId[]> {
  const there = bindings.find(({ name }) => name === endpoint);
  const all = bindings.map(({ name, lineages }) => [name, lineages] as const);
  return new Map(there === undefined ? all : [...all, ['*', there.lineages]]);
}

/** Under what a binding that counts for the name may stand. */
export function boundNames(name: string, endpoint: string | undefined): readonly string[] {
  const patterns = bindingPatterns(name);
  return endpoint === undefined || patterns.length === 0 ? patterns : [...patterns, endpoint];
}

/**
 * The choice, and one of the other kind of key by the same right (bound, uploaded or issued): clients take either, so one
 * of a lesser right would be shown in place of the better one.
 */
function pairOf(question: Question<Showable>): readonly Choice<Showable>[] {
  const best = choose(question);
  if (best === undefined || question.now >= endOf(best.candidate)) return [];
  const kind = kindOf(best.candidate);
  const candidates = question.candidates.filter((candidate) => kindOf(candidate) !== kind);
  const other = choose({ ...question, candidates });
  const isEqual = other !== undefined && rightOf(other) === rightOf(best) && holds(other, question.now);
  return isEqual ? [best, other] : [best];
}

function holds({ candidate }: Choice<Showable>, now: Instant): boolean {
  return candidate.certificate.notBefore <= now && now < endOf(candidate);
}

function kindOf({ certificate }: Showable): string {
  return keyClassOf(certificate.keyType);
}

function rightOf({ rank }: Choice<Showable>): string {
  return rank.replace(/ .*/, '');
}

/** Lineages of its domain where a certificate for the name would be; fewer than all, of which there may be thousands. */
export async function lineagesFor(
  name: string,
  { name: domain }: Pick<Domain, 'name'>,
  { wishes, certificates }: Pick<Needs, 'wishes' | 'certificates'>,
): Promise<readonly LineageId[]> {
  const [uploads, groups] = await Promise.all([certificates.uploads(domain), wishes.groups(domain)]);
  const parent = parentOf(name);
  const stars = [name, ...(parent === undefined ? [] : [parent])].map((one) => `*.${one}`);
  const grouped = groups.filter(({ names }) => names.some((one) => covers(one, name)));
  const labels = isWildcard(name) ? [name] : [name, ...stars];
  const policies = [...new Set([...labels, ...grouped.map(({ label }) => label)])].map(
    (label) => `${domain}/${label}`,
  );
  return [
    ...policies.flatMap((policy) => [lineageId(policy, 'ec'), lineageId(policy, 'rsa'), fallbackId(policy)]),
    ...uploads.flatMap(({ id }) => [id, fallbackId(id)]),
  ];
}
