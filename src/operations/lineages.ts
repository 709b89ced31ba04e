import { hasPlace } from '../core/deploy/holdings.ts';
import { AgentError } from '../core/errors.ts';
import { covers, parentOf, parseName, refusal } from '../core/names.ts';
import type { Lineage } from '../core/types.ts';
import type { OperationNeeds } from './define.ts';
import { likelyDomain, noSuchDomain } from './refusals.ts';
import { exact } from './words.ts';

type Needs = Pick<OperationNeeds, 'wishes' | 'certificates'>;

/**
 * The lineages that a person means: by lineage id, by policy id, or by a host name, then those that hold the name
 * itself before those whose wildcard covers it. Throws `command.notFound`.
 */
export async function findLineages(target: string, needs: Needs): Promise<readonly Lineage[]> {
  const one = await needs.certificates.lineage(target);
  if (one !== undefined) return [one];
  const found = target.includes('/') ? await ofPolicy(target, needs) : await ofName(target, needs);
  if (found.length > 0) return found;
  throw await nothingFor(target, needs);
}

/**
 * Of the domain nearest to the name that holds one; uploads where nothing is ordered for it. Lineages that nobody asks
 * for any more come last.
 */
export async function lineagesForName(name: string, needs: Needs): Promise<readonly Lineage[]> {
  let base: string | undefined = name.replace(/^\*\./, '');
  while (base !== undefined) {
    const domain = await needs.wishes.domainOf(base);
    if (domain === undefined) return [];
    const lineages = await needs.certificates.lineages(domain.name);
    for (const source of ['acme', 'upload'] as const) {
      const found = bestFor(
        name,
        lineages.filter((one) => one.source === source),
      );
      if (found.length > 0) return found;
    }
    base = parentOf(domain.name);
  }
  return [];
}

/** Uploads with a place of their own at the targets, which is not that of one that is ordered for. */
export async function placedUploads(name: string, needs: Needs): Promise<readonly Lineage[]> {
  const domain = await needs.wishes.domainOf(name.replace(/^\*\./, ''));
  if (domain === undefined) return [];
  const uploads = bestFor(name, await needs.certificates.uploads(domain.name));
  const placed = await Promise.all(uploads.map((one) => hasPlace(one, domain, needs)));
  return uploads.filter((_, index) => placed[index]);
}

/** Throws `command.conflict` for a lineage that no order can renew. */
export function refuseUnrenewable(lineage: Lineage): void {
  if (lineage.source === 'upload')
    throw new AgentError('command.conflict', `${lineage.id} was uploaded; upload its successor`);
  if (lineage.source === 'self-signed')
    throw new AgentError(
      'command.conflict',
      `${lineage.id} is the self-signed stand-in, which renews itself; renew ${lineage.policy ?? 'the certificate'} instead`,
    );
  if (lineage.unwantedSince !== undefined)
    throw new AgentError(
      'command.conflict',
      `nobody has asked for ${lineage.id} since ${exact(lineage.unwantedSince)}; add its host or domain again`,
    );
}

async function ofPolicy(policy: string, needs: Needs): Promise<readonly Lineage[]> {
  const domain = policy.slice(0, policy.indexOf('/'));
  const lineages = await needs.certificates.lineages(domain);
  return lineages.filter((lineage) => lineage.policy === policy && lineage.source === 'acme');
}

async function ofName(text: string, needs: Needs): Promise<readonly Lineage[]> {
  return refusal(text) === undefined ? lineagesForName(parseName(text), needs) : [];
}

/** Those that hold the name itself before those whose wildcard covers it; what nobody asks for any more comes last. */
export function bestFor(name: string, lineages: readonly Lineage[]): readonly Lineage[] {
  const wanted = lineages.filter(({ unwantedSince }) => unwantedSince === undefined);
  const holds = (lineage: Lineage) => lineage.wanted.names.includes(name);
  const covering = (lineage: Lineage) => lineage.wanted.names.some((pattern) => covers(pattern, name));
  const choices = [
    wanted.filter(holds),
    wanted.filter(covering),
    lineages.filter(holds),
    lineages.filter(covering),
  ];
  return choices.find((choice) => choice.length > 0) ?? [];
}

async function nothingFor(target: string, { wishes }: Needs): Promise<AgentError> {
  if (target.includes('/') || target.startsWith('cert-') || refusal(target) !== undefined)
    return new AgentError(
      'command.notFound',
      `there is no certificate ${target}; "certs list" shows those there are`,
    );
  const name = parseName(target);
  const domain = await wishes.domainOf(name.replace(/^\*\./, ''));
  if (domain === undefined) {
    const unknown = noSuchDomain(likelyDomain(name), await wishes.domains());
    return new AgentError('command.notFound', `no certificate is kept for ${name}: ${unknown.message}`);
  }
  return new AgentError(
    'command.notFound',
    `no certificate is kept for ${name}; add it with "hosts add ${name}"`,
  );
}
