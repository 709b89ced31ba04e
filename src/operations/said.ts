import { z } from 'zod';
import { answeredChallenges, experimentalChallenges } from '../core/challenges.ts';
import { AgentError } from '../core/errors.ts';
import { httpsRedirects } from '../core/https-redirect.ts';
import type { Domain, DomainWish, ProfileWish } from '../core/types.ts';
import { checkDomain, checkReferences } from '../core/wishes/domain-rules.ts';
import { domainModes, keyTypes, resolveDomain } from '../core/wishes/domain-wish.ts';
import type { OperationNeeds } from './define.ts';
import { configuredName } from './fields.ts';

/** What a command may say about a domain; absent: as the defaults of the file say at `add`, unchanged at `set`. */
export const settable = {
  mode: z
    .enum(domainModes)
    .optional()
    .describe('Which certificates: one wildcard, one for each host, only named groups, or what fits (auto)'),
  issuers: z.array(configuredName).min(1).optional().describe('Configured issuers, the preferred one first'),
  challenge: z
    .enum([...answeredChallenges, ...experimentalChallenges])
    .optional()
    .describe('How the CA checks the names'),
  dnsAccount: configuredName.optional().describe('Configured DNS account that holds the zone'),
  keyTypes: z
    .array(z.enum(keyTypes))
    .min(1)
    .optional()
    .describe('Key types; one elliptic and one RSA for two certificates'),
  profile: configuredName.optional().describe('Certificate profile of the CA'),
  profileRequired: z.boolean().optional().describe('Refuse a CA that does not have the profile'),
  partial: z.boolean().optional().describe('Names that the CA refuses do not keep the others waiting'),
  reuseKey: z.boolean().optional().describe('A renewal keeps the key of the certificate that it replaces'),
  redirect: z
    .enum(httpsRedirects)
    .optional()
    .describe('What plain HTTP for a host of it is answered with on port 80'),
  deploy: z.array(configuredName).optional().describe('Configured deploy targets'),
  notify: z.array(configuredName).optional().describe('Configured notifiers'),
  contacts: z.array(z.email()).optional().describe('E-mail addresses of those who answer for the domain'),
};

/** A wish as a command says it. */
interface Said extends Omit<DomainWish, 'profile'> {
  readonly profile?: string | undefined;
  readonly profileRequired?: boolean | undefined;
}

/** The domain of what was said before and what is said now; only the latter has to name what the file defines. */
export function toDomain(
  name: string,
  { before, said: { profile, profileRequired, ...fields } }: { before: DomainWish; said: Said },
  { settings }: Pick<OperationNeeds, 'settings'>,
): Domain {
  const said = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
  checkReferences(said, settings());
  const wished = toProfile(resolveDomain(name, before, settings()).profile, { profile, profileRequired });
  const all = { ...before, ...said, ...(wished && { profile: wished }) };
  const domain = resolveDomain(name, all, settings());
  checkDomain(domain, settings());
  return domain;
}

/** undefined: nothing was said of it. */
function toProfile(
  now: ProfileWish | undefined,
  { profile, profileRequired }: Pick<Said, 'profile' | 'profileRequired'>,
): ProfileWish | undefined {
  if (profile === undefined && profileRequired === undefined) return undefined;
  const name = profile ?? now?.name;
  if (name === undefined)
    throw new AgentError('command.invalid', 'profileRequired: name the profile as well');
  return { name, required: profileRequired ?? now?.required ?? false };
}
