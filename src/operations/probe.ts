import { z } from 'zod';
import { isAmiss, recordSights } from '../core/deploy/amiss.ts';
import { hasPlace } from '../core/deploy/holdings.ts';
import { lookTwice } from '../core/deploy/probe.ts';
import {
  askFor,
  expectedAt,
  lookAtPlace,
  lookForName,
  type ProbedPlace,
  probedPlace,
} from '../core/deploy/probe-place.ts';
import type { ProbeFinding } from '../core/deploy/sight.ts';
import { AgentError } from '../core/errors.ts';
import { covers, isWildcard } from '../core/names.ts';
import { isDual, keyClassOf } from '../core/policies.ts';
import { deploymentId } from '../core/records.ts';
import { lineagesFor, readShown } from '../core/shown.ts';
import type { Domain, Instant } from '../core/types.ts';
import { defineOperation, type OperationNeeds } from './define.ts';
import { hostName } from './fields.ts';
import { requireDomainFor } from './refusals.ts';

/** What the servers of one target showed. */
export interface ProbedTarget {
  /** Absent: no target names servers, so those were looked at to which the DNS leads. */
  readonly target?: string | undefined;
  readonly findings: readonly ProbeFinding[];
  /** When it is deployed anew. */
  readonly nextAt?: Instant | undefined;
}

export interface ProbeAnswer {
  readonly asOf: Instant;
  readonly host: string;
  readonly targets: readonly ProbedTarget[];
  /** What was not looked at, and why. */
  readonly notes: readonly string[];
}

/** Carried out by the agent, since it is its view of the network that counts. */
export const probe = defineOperation({
  name: 'probe',
  kind: 'write',
  method: 'POST',
  path: '/hosts/{name}/probe',
  scope: 'operate',
  summary:
    'Connects to the servers of a host as a strict client, and says whether they show the certificate that was deployed.',
  input: z.strictObject({ name: hostName.describe('Host name') }),
  run: async ({ name }, needs): Promise<ProbeAnswer> => {
    if (isWildcard(name))
      throw new AgentError(
        'command.invalid',
        `name: nobody connects to ${name}; name a host under it, such as www${name.slice(1)}`,
      );
    const domain = await requireDomainFor(name, needs);
    const probes = needs.settings().probes ?? {};
    const probed = domain.deploy.filter((target) => probes[target] !== undefined);
    const { signal } = new AbortController();
    const asOf = needs.clock.now();
    if (probed.length === 0)
      return { asOf, host: name, targets: [await whereItLeads(name, domain, needs, signal)], notes: [] };
    const places = await placesFor(name, domain, needs);
    const looked = places.map(async (place) => lookedAt(name, place, needs, signal));
    const known = new Set(places.map(({ deployment }) => deployment.target));
    return {
      asOf,
      host: name,
      targets: await Promise.all(looked),
      notes: domain.deploy.filter((target) => !known.has(target)).map((target) => whyNot(target, probed)),
    };
  },
});

async function placesFor(
  name: string,
  domain: Domain,
  needs: OperationNeeds,
): Promise<readonly ProbedPlace[]> {
  const places: ProbedPlace[] = [];
  for (const id of await lineagesFor(name, domain, needs)) {
    const lineage = await needs.certificates.lineage(id);
    if (lineage === undefined || !(await hasPlace(lineage, domain, needs))) continue;
    for (const deployment of await needs.deployments.of(id)) {
      const place = await probedPlace(deployment, lineage, domain, needs);
      if (place?.shown.names.some((pattern) => covers(pattern, name)) === true) places.push(place);
    }
  }
  // Also those that cover the name are right there; the nearest to it is the one to look at.
  const placeOf = ({ deployment: { target }, lineage }: ProbedPlace) =>
    `${target} ${isDual(domain.keyTypes) ? keyClassOf(lineage.wanted.keyType) : ''}`;
  return places.filter((one, at) => places.findIndex((other) => placeOf(other) === placeOf(one)) === at);
}

async function lookedAt(
  name: string,
  place: ProbedPlace,
  needs: OperationNeeds,
  signal: AbortSignal,
): Promise<ProbedTarget> {
  const { target, lineage, amiss } = place.deployment;
  const findings = await lookTwice((both) => lookForName(name, place, needs, both), needs, signal);
  if (isAmiss(findings)) await recordSights(place, findings, needs);
  // Another name of the certificate may be the one that was not right.
  else if (amiss !== undefined) await recordSights(place, await lookAtPlace(place, needs, signal), needs);
  const nextAt = isAmiss(findings) ? await needs.due.at('deploy', deploymentId(target, lineage)) : undefined;
  return { target, findings, nextAt };
}

/** As a person's own client would: nothing follows from what is seen there. */
async function whereItLeads(
  name: string,
  domain: Domain,
  needs: OperationNeeds,
  signal: AbortSignal,
): Promise<ProbedTarget> {
  const [deployed, shown] = await Promise.all([
    expectedAt(name, { domain, targets: domain.deploy }, needs),
    readShown({ name, now: needs.clock.now() }, needs),
  ]);
  const held = shown.certificates.map(({ fingerprint, lineage }) => [fingerprint, lineage] as const);
  const expected = new Map([...held, ...deployed]);
  const at = { host: name, port: 443 };
  const kinds = isDual(domain.keyTypes) ? (['ec', 'rsa'] as const) : [undefined];
  const asked = kinds.map((keyClass) =>
    askFor({ at, name, keyClass, isUntrusted: true }, expected, needs, signal),
  );
  return { findings: (await Promise.all(asked)).flat() };
}

function whyNot(target: string, probed: readonly string[]): string {
  return probed.includes(target)
    ? `${target}: what it should show is still on its way there`
    : `${target}: the file names no servers of it ("probe")`;
}
