import { domainOfLineage } from '../policies.ts';
import type { JournalEntry, Ports } from '../ports.ts';
import type { Instant, Settings } from '../types.ts';

/** End of the lease of a TXT record that no order takes away. The last instant that a date can have. */
export const forever: Instant = 8.64e15;

/** Chore that takes TXT records away which nobody waits for. */
export const dnsJournalChore = 'dns-journal';

type ReleaseNeeds = Pick<Ports, 'journal' | 'clock'> & {
  readonly certificates: Pick<Ports['certificates'], 'lineages'>;
  readonly settings: () => Pick<Settings, 'permissionMs'>;
};

/**
 * When a permission given now ends: in half of its lifetime at the earliest, and at the same instant for all that are
 * given within half a lifetime, so that orders share a record.
 */
export function permissionEnd(now: Instant, lifetimeMs: number): Instant {
  const step = Math.round(lifetimeMs / 2 / 1000) * 1000;
  return (Math.floor(now / step) + 2) * step;
}

/**
 * Ends the lease of the records for dns-persist-01 whose lineage is no longer wanted, or no longer proven so (with its
 * domain, its host, or because the domain uses another challenge now), whose permission is over, or that have no end
 * where the file wants one. Whoever removes what is over removes them.
 */
export async function releasePermanent({
  journal,
  certificates,
  clock,
  settings,
}: ReleaseNeeds): Promise<void> {
  const permanent = (await journal.all()).filter(isPermanent);
  if (permanent.length === 0) return;
  const domains = new Set(permanent.map(({ lineage }) => domainOfLineage(lineage)));
  const lineages = await Promise.all([...domains].map((domain) => certificates.lineages(domain)));
  const wanted = lineages
    .flat()
    .filter((one) => one.unwantedSince === undefined && one.wanted.challenge === 'dns-persist-01');
  const ids = new Set(wanted.map(({ id }) => id));
  const now = clock.now();
  const { permissionMs } = settings();
  const lastEnd = permissionMs === undefined ? forever : now + permissionMs;
  const isOver = ({ lineage, value }: JournalEntry) =>
    !ids.has(lineage) || endOf(value) <= now || endOf(value) > lastEnd;
  await journal.update(permanent.filter(isOver).map((entry) => ({ ...entry, leaseUntil: now })));
}

/** As the record itself says. */
function endOf(value: string): Instant {
  const seconds = /;\s*persistUntil=(\d+)/.exec(value)?.[1];
  return seconds === undefined ? forever : Number(seconds) * 1000;
}

function isPermanent({ leaseUntil, state }: JournalEntry): boolean {
  return leaseUntil === forever && state !== 'removing';
}
