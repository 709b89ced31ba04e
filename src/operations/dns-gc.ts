import { z } from 'zod';
import { isDnsChallenge } from '../core/challenges.ts';
import type { FoundLeftovers, Leftover, LeftoverSearch } from '../core/dns-care.ts';
import type { Instant } from '../core/types.ts';
import { defineOperation, type OperationNeeds } from './define.ts';
import { configuredName, domainName, duration, durationMs } from './fields.ts';
import { commandEvent } from './renew.ts';

export interface GcAnswer extends FoundLeftovers {
  readonly asOf: Instant;
  /** Left out of the list: changed so short a time ago that somebody may still need them. */
  readonly young: number;
}

/** So old no order is any more. */
const usualAge = '7d';
const mostAtOnce = 200;

export const dnsGc = defineOperation({
  name: 'dns.gc',
  kind: 'read',
  method: 'GET',
  path: '/dns/leftovers',
  scope: 'read',
  summary: 'Lists challenge records that other clients left in our zones; deletes them only when told to.',
  input: z.strictObject({
    zone: domainName
      .optional()
      .describe('Only this zone; by default those of the accounts and domains')
      .meta({ positional: true }),
    account: configuredName.optional().describe('Only this DNS account'),
    olderThan: duration
      .optional()
      .describe(
        `Only those last changed so long ago, like 30d (default ${usualAge}), where the vendor tells`,
      ),
  }),
  run: async ({ zone, account, olderThan = usualAge }, needs): Promise<GcAnswer> => {
    const { signal } = new AbortController();
    const search = { zone, account, ...(await known(needs)) };
    const { leftovers, ...found } = await needs.dnsCare.leftovers(search, signal);
    const asOf = needs.clock.now();
    const isOld = ({ changedAt }: Leftover) =>
      changedAt === undefined || changedAt <= asOf - durationMs(olderThan);
    const old = leftovers.filter(isOld).toSorted(byPlace);
    return { asOf, ...found, leftovers: old, young: leftovers.length - old.length };
  },
});

export interface Discarded {
  readonly removed: readonly Leftover[];
  /** Not gone yet: the agent goes on with them by itself. */
  readonly left: readonly Leftover[];
}

export const dnsDiscard = defineOperation({
  name: 'dns.discard',
  kind: 'write',
  method: 'POST',
  path: '/dns/discard',
  scope: 'operate',
  summary: 'Deletes these challenge records, by exact value, as "dns gc" lists them.',
  isForPrograms: true,
  input: z.strictObject({
    records: z
      .array(
        z.strictObject({
          account: configuredName,
          zone: z.string().min(1).max(253),
          zoneId: z.string().min(1).max(500).optional(),
          name: z
            .string()
            .max(253)
            .regex(/^(_[a-z2-7]{16}\.)?_acme-challenge\./, { error: 'must be a name of challenges' }),
          value: z.string().regex(/^[A-Za-z0-9_-]{43}$/, { error: 'must be the answer to a challenge' }),
          handle: z.string().min(1).max(500).optional(),
          changedAt: z.number().optional(),
        }),
      )
      .min(1)
      .max(mostAtOnce)
      .describe('Account, zone, name and value of each'),
  }),
  run: async ({ records }, needs, caller): Promise<Discarded> => {
    const { signal } = new AbortController();
    const removed = await needs.dnsCare.discard(records, signal);
    const left = records.filter((one) => !removed.includes(one));
    const facts = { removed: removed.length, left: left.length };
    await needs.changes.commit({ events: [commandEvent('dns.discard', facts, caller)] });
    return { removed, left };
  },
});

/** What we have certificates for by DNS, and what proves it. */
async function known({
  wishes,
  certificates,
}: OperationNeeds): Promise<Pick<LeftoverSearch, 'domains' | 'names'>> {
  const [domains, lineages] = await Promise.all([wishes.domains(), certificates.lineages()]);
  const proven = lineages.filter(
    ({ source, wanted }) => source === 'acme' && isDnsChallenge(wanted.challenge),
  );
  const ofDns = new Set(proven.map(({ domain }) => domain));
  const names = proven.flatMap(({ wanted }) => wanted.names.map((name) => name.replace(/^\*\./, '')));
  return {
    domains: domains
      .filter(({ name, dnsAccount }) => dnsAccount !== undefined || ofDns.has(name))
      .map(({ name, dnsAccount }) => ({ name, account: dnsAccount })),
    names: [...new Set(names)],
  };
}

function byPlace(a: Leftover, b: Leftover): number {
  const key = ({ account, zone, name, value }: Leftover) => [account, zone, name, value].join(' ');
  return key(a) < key(b) ? -1 : 1;
}
