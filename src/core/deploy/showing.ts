import { covers } from '../names.ts';
import { isDual, keyClassOf } from '../policies.ts';
import {
  type Candidate,
  type Choice,
  choiceEndsAt,
  choose,
  coversAll,
  endOf,
  type Question,
} from '../precedence.ts';
import type { Certificate, Instant, KeyClass, KeyType, Lineage, LineageId } from '../types.ts';

/** A certificate that a place may show. */
export interface Showable extends Candidate {
  readonly certificate: Certificate;
}

/** A place at a deploy target, which one lineage has: all that it may show. */
export interface Showing {
  readonly lineage: Lineage;
  /** Its own, if it has one yet. */
  readonly own: Showable | undefined;
  readonly fallback: Showable | undefined;
  /** Others that cover its names, and what is bound to them. */
  readonly rivals: readonly Showable[];
  /** Of its names. */
  readonly bindings: Question<Showable>['bindings'];
}

/** What to show now; undefined: there is nothing at all. */
export function chosenFor(showing: Showing, now: Instant): Choice<Showable> | undefined {
  return choose(questionOf(showing, now));
}

/** As chosenFor, where that is a certificate that a server can go on with: not over, and not a stand-in. */
export function trustedFor(showing: Showing, now: Instant): Certificate | undefined {
  const choice = chosenFor(showing, now);
  if (choice === undefined || isOver(choice, now)) return undefined;
  const { certificate } = choice.candidate;
  return certificate.source === 'self-signed' ? undefined : certificate;
}

/** When something else is to be shown by itself; not after `now`: it is over. undefined: not before something changes. */
export function showingEndsAt(showing: Showing, now: Instant): Instant | undefined {
  const question = questionOf(showing, now);
  const choice = choose(question);
  if (choice === undefined || isOver(choice, now)) return now;
  return choiceEndsAt(choice, question);
}

/**
 * Of those that could be shown in its place, those of a kind of key that its readers expect. Where a domain keeps one
 * kind, another one is better than none: a person uploads what the CA made.
 */
export function fitting(
  lineage: Lineage,
  rivals: readonly Showable[],
  keyTypes: readonly KeyType[],
): readonly Showable[] {
  const kind = keyClassOf(lineage.wanted.keyType);
  const own = rivals.filter((one) => classOf(one) === kind);
  if (isDual(keyTypes)) return own;
  const { names } = lineage.wanted;
  const others = rivals.filter((one) => classOf(one) !== kind);
  // An upload of its own kind, or the place of one, is not for an upload of the other kind.
  const isTaken =
    lineage.source === 'upload' ||
    own.some(({ certificate }) => certificate.source === 'upload' && coversAll(certificate.names, names));
  return [...own, ...others.filter(({ certificate }) => !isTaken || certificate.source !== 'upload')];
}

function classOf({ certificate }: Showable): KeyClass {
  return keyClassOf(certificate.keyType);
}

/**
 * As long as its own certificate holds, what that one does not cover (yet, or because its CA refused the name) is no
 * reason to show another one.
 */
function questionOf(showing: Showing, now: Instant): Question<Showable> {
  const { lineage, own, fallback, rivals, bindings } = showing;
  const wanted = lineage.wanted.names;
  const holds = own !== undefined && now < endOf(own);
  const names = holds ? wanted.filter((name) => isCovered(name, own.certificate)) : wanted;
  const candidates = [own, fallback, ...rivals].filter((one) => one !== undefined);
  return { names, domain: lineage.domain, bindings, candidates, now };
}

function isCovered(name: string, { names }: Certificate): boolean {
  return names.some((pattern) => covers(pattern, name));
}

function isOver({ candidate }: Choice<Showable>, now: Instant): boolean {
  return now >= endOf(candidate);
}

export function showable(
  certificate: Certificate | undefined,
  { domain, revokedAt }: { readonly domain: string | undefined; readonly revokedAt?: Instant | undefined },
): Showable | undefined {
  return certificate && { certificate, domain, revokedAt };
}

/** Each once, and without that of the place itself. */
export function rivalsOf(
  lineage: Lineage,
  found: ReadonlyMap<LineageId, Showable>,
  ids: readonly LineageId[],
): readonly Showable[] {
  const others = [...new Set(ids)].filter((id) => id !== lineage.id);
  return others.flatMap((id) => found.get(id) ?? []);
}
