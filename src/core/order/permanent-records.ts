import type { JournalEntry, Ports } from '../ports.ts';
import type { Instant, LineageId } from '../types.ts';

/** End of the lease of a TXT record that no order takes away. The last instant that a date can have. */
export const forever: Instant = 8.64e15;

/** Chore that takes TXT records away which nobody waits for. */
export const dnsJournalChore = 'dns-journal';

/**
 * Ends the lease of the records for dns-persist-01 whose lineage is no longer wanted, or no longer proven so: with its
 * domain, its host, or because the domain uses another challenge now. Whoever removes what is over removes them.
 */
export async function releasePermanent({
  journal,
  certificates,
  clock,
}: Pick<Ports, 'journal' | 'clock'> & {
  readonly certificates: Pick<Ports['certificates'], 'lineages'>;
}): Promise<void> {
  const permanent = (await journal.all()).filter(isPermanent);
  if (permanent.length === 0) return;
  const domains = new Set(permanent.map(({ lineage }) => domainOf(lineage)));
  const lineages = await Promise.all([...domains].map((domain) => certificates.lineages(domain)));
  const wanted = lineages
    .flat()
    .filter((one) => one.unwantedSince === undefined && one.wanted.challenge === 'dns-persist-01');
  const ids = new Set(wanted.map(({ id }) => id));
  const over = permanent.filter(({ lineage }) => !ids.has(lineage));
  await journal.update(over.map((entry) => ({ ...entry, leaseUntil: clock.now() })));
}

function isPermanent({ leaseUntil, state }: JournalEntry): boolean {
  return leaseUntil === forever && state !== 'removing';
}

function domainOf(lineage: LineageId): string {
  return lineage.split('/', 1)[0] ?? lineage;
}
