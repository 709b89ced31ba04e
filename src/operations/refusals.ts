import { AgentError } from '../core/errors.ts';
import { isUnder, isWildcard, parentOf } from '../core/names.ts';
import { nearest } from '../core/nearest.ts';
import type { Domain, Origin } from '../core/types.ts';
import type { OperationNeeds } from './define.ts';
import { listed } from './words.ts';

/** Throws `command.conflict` if the configuration file owns the record. */
export function refuseFileOwned(name: string, origin: Origin): void {
  if (origin.kind === 'file')
    throw new AgentError(
      'command.conflict',
      `${name} is defined in the configuration file (line ${origin.line}); change it there`,
    );
}

/** Throws `command.conflict` for a domain that the file no longer names. */
export function refuseDisabled(domain: Domain): void {
  if (domain.disabledAt !== undefined)
    throw new AgentError(
      'command.conflict',
      `${domain.name} left the configuration file and is disabled; put it back there, or add it with "domains add ${domain.name}"`,
    );
}

/** True while the file names it. */
export function isFileOwned(domain: Domain): boolean {
  return domain.origin.kind === 'file' && domain.disabledAt === undefined;
}

export function noSuchDomain(name: string, known: readonly Domain[]): AgentError {
  const names = known.map((domain) => domain.name);
  const near = nearest(name, names);
  const hint =
    near === undefined
      ? `domains: ${names.length === 0 ? 'none yet' : listed(names)}`
      : `do you mean ${near}?`;
  return new AgentError('command.notFound', `there is no domain ${name}; ${hint}`);
}

/** Throws `command.notFound` if a domain is named that is not there. */
export async function refuseUnknown(
  name: string | undefined,
  { wishes }: Pick<OperationNeeds, 'wishes'>,
): Promise<void> {
  if (name !== undefined && (await wishes.domain(name)) === undefined)
    throw noSuchDomain(name, await wishes.domains());
}

/** The longest domain that all names lie under; wildcards count as what they stand for. */
export async function domainFor(
  names: readonly string[],
  { wishes }: Pick<OperationNeeds, 'wishes'>,
): Promise<Domain | undefined> {
  const bases = names.map(baseOf);
  let at = bases[0];
  while (at !== undefined) {
    const domain = await wishes.domainOf(at);
    if (domain === undefined || bases.every((base) => isUnder(base, domain.name))) return domain;
    at = parentOf(domain.name);
  }
  return undefined;
}

/** As domainFor, for one name, but throws `command.notFound` with the command that adds the domain. */
export async function requireDomainFor(name: string, needs: Pick<OperationNeeds, 'wishes'>): Promise<Domain> {
  const domain = await domainFor([name], needs);
  if (domain !== undefined) return domain;
  throw new AgentError(
    'command.notFound',
    `no domain is configured for ${name}; add it first: "domains add ${likelyDomain(name)}"`,
  );
}

/** The domain that a person most likely wants for a name that has none yet. */
export function likelyDomain(name: string): string {
  const base = baseOf(name);
  const parent = parentOf(base);
  return isWildcard(name) || parent?.includes('.') !== true ? base : parent;
}

function baseOf(name: string): string {
  return isWildcard(name) ? name.slice(2) : name;
}
