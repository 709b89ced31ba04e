import { AgentError } from '../errors.ts';
import { isWildcard, sameNames } from '../names.ts';
import { keyClassOf } from '../policies.ts';
import { coversAll } from '../precedence.ts';
import type { Binding, Certificate, Domain, KeyType, Lineage } from '../types.ts';

/** What is asked for an upload beside its files. */
export interface UploadWish {
  /** The one that it is for; else it is for all its names of the domain. */
  readonly name?: string | undefined;
  /** An upload that it succeeds. */
  readonly replace?: Lineage | undefined;
  /** Also if it covers less than it should. */
  readonly force: boolean;
}

/** Where an upload belongs. */
export interface UploadPlace {
  readonly label: string;
  /** Those that it is for. */
  readonly names: readonly string[];
  /** It becomes the next generation of this one. */
  readonly successorOf?: Lineage | undefined;
}

/** What is known of the domain. */
export interface UploadStage {
  readonly domain: Pick<Domain, 'name'>;
  /** Names of the certificate whose own domain that is. */
  readonly own: readonly string[];
  readonly uploads: readonly Lineage[];
  /** Current one of the lineage that it would succeed. */
  readonly current: (lineage: Lineage) => Certificate | undefined;
  readonly bindings: (lineage: Lineage) => readonly Binding[];
}

/**
 * The label of an upload, and the upload that it succeeds: the one named, or the one of the same label and kind of key.
 * Pure. Throws `command.invalid` or `command.conflict` where it would cover less than it should.
 */
export function uploadPlace(
  certificate: { readonly names: readonly string[]; readonly keyType: KeyType },
  { name, replace, force }: UploadWish,
  stage: UploadStage,
): UploadPlace {
  const { domain, own, uploads } = stage;
  if (name !== undefined && !coversAll(certificate.names, [name]))
    throw refuse(`the certificate is not for ${name}, but for ${listed(certificate.names)}`);
  const label = name ?? replace?.label ?? labelOf(own, domain.name);
  const names = name === undefined ? [...new Set([...own])] : [name];
  if (!force) checkWhole({ label, names: certificate.names, domain: domain.name });
  const kind = keyClassOf(certificate.keyType);
  const successorOf =
    replace ?? uploads.find((one) => one.label === label && keyClassOf(one.wanted.keyType) === kind);
  if (successorOf === undefined) return { label, names };
  if (keyClassOf(successorOf.wanted.keyType) !== kind)
    throw conflict(
      `${successorOf.id} has ${kindOf(successorOf)} key and this one has not: upload it beside the other, without replace`,
    );
  const kept = name === undefined && isNarrow(successorOf, stage) ? successorOf.wanted.names : names;
  if (!force) checkSuccession(certificate.names, successorOf, stage);
  return { label: successorOf.label, names: kept, successorOf };
}

/** The wildcard nearest to the domain, else the first name. */
function labelOf(own: readonly string[], domain: string): string {
  const stars = own.filter(isWildcard).toSorted((a, b) => a.length - b.length);
  const label = own.find((name) => name === `*.${domain}`) ?? stars[0] ?? own[0];
  if (label === undefined) throw refuse(`the certificate has no name under ${domain}`);
  return label;
}

/** One for the whole domain has to cover the domain itself too, which its wildcard does not. */
function checkWhole({
  label,
  names,
  domain,
}: {
  readonly label: string;
  readonly names: readonly string[];
  readonly domain: string;
}): void {
  if (label !== `*.${domain}` || names.includes(domain)) return;
  throw refuse(
    `a certificate for all of ${domain} needs both ${domain} and *.${domain}; this one lacks ${domain}; use force if that is meant`,
  );
}

/** What the present one covers, for its visitors and where it is bound, the next one has to cover too. */
function checkSuccession(
  names: readonly string[],
  lineage: Lineage,
  { bindings, current }: UploadStage,
): void {
  const before = current(lineage)?.names ?? [];
  const bound = bindings(lineage)
    .map(({ name }) => name)
    .filter((name) => coversAll(before, [name]));
  const lost = [...new Set([...lineage.wanted.names, ...bound])].filter((name) => !coversAll(names, [name]));
  if (lost.length > 0)
    throw conflict(`it is not for ${listed(lost)}, which ${lineage.id} is for; use force if that is meant`);
}

/** A person said for which of its names it is. */
function isNarrow(lineage: Lineage, { current, domain }: UploadStage): boolean {
  const held = current(lineage)?.names.filter(
    (name) => name === domain.name || name.endsWith(`.${domain.name}`),
  );
  return held !== undefined && !sameNames(held, lineage.wanted.names);
}

function kindOf({ wanted }: Lineage): string {
  return keyClassOf(wanted.keyType) === 'ec' ? 'an ECDSA' : 'an RSA';
}

function listed(names: readonly string[]): string {
  return names.length <= 5
    ? names.join(', ')
    : `${names.slice(0, 5).join(', ')} and ${names.length - 5} more`;
}

function refuse(message: string): AgentError {
  return new AgentError('command.invalid', message);
}

function conflict(message: string): AgentError {
  return new AgentError('command.conflict', message);
}
