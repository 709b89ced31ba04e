import { z } from 'zod';
import { derivePolicies } from '../core/policies.ts';
import type { Finding } from '../core/ports.ts';
import type { ChallengeType, Domain, PreflightMode } from '../core/types.ts';
import { defineOperation, type OperationNeeds } from './define.ts';
import { hostName } from './fields.ts';
import { lineagesForName } from './lineages.ts';
import { requireDomainFor } from './refusals.ts';

/** What an order at one issuer would meet. */
export interface IssuerFindings {
  readonly issuer: string;
  readonly findings: readonly Finding[];
}

export interface PreflightAnswer {
  /** Those of the certificate that holds the name, or would. */
  readonly names: readonly string[];
  readonly challenge: ChallengeType;
  readonly mode: PreflightMode;
  readonly issuers: readonly IssuerFindings[];
}

/** Carried out by the agent, since it is its view of the network that counts. */
export const preflight = defineOperation({
  name: 'preflight',
  kind: 'write',
  method: 'POST',
  path: '/hosts/{name}/preflight',
  scope: 'operate',
  summary: 'Looks at a name as each CA would before it issues, and says what to mend; orders nothing.',
  input: z.strictObject({ name: hostName.describe('Host name, held or to be added') }),
  run: async ({ name }, needs): Promise<PreflightAnswer> => {
    const domain = await requireDomainFor(name, needs);
    const { names, challenge } = await wantedFor(name, domain, needs);
    const { issuers: configured, preflight: mode = 'on' } = needs.settings();
    const { signal } = new AbortController();
    const issuers = await Promise.all(
      domain.issuers
        .filter((issuer) => configured.includes(issuer))
        .map(async (issuer) => ({
          issuer,
          findings: await needs.preflight.look({ issuer, names, challenge }, signal),
        })),
    );
    return { names, challenge, mode, issuers };
  },
});

/** As the certificate of the name is ordered; where there is none, as one for it alone would be. */
async function wantedFor(
  name: string,
  domain: Domain,
  needs: OperationNeeds,
): Promise<Pick<PreflightAnswer, 'names' | 'challenge'>> {
  const [held] = await lineagesForName(name, needs);
  if (held !== undefined) return held.wanted;
  const group = { domain: domain.name, label: name, names: [name], origin: domain.origin };
  const account = needs.settings().dnsAccounts.find((one) => one.name === domain.dnsAccount);
  const [policy] = derivePolicies(
    { domain: { ...domain, mode: 'custom', disabledAt: undefined }, hosts: [], groups: [group] },
    account,
  );
  return { names: [name], challenge: policy?.challenge ?? 'http-01' };
}
