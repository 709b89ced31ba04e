import type { Queues } from '../../jobs/queue.ts';
import type { GaugeRow } from '../core/metrics.ts';
import type { Ports } from '../core/ports.ts';
import type { Instant } from '../core/types.ts';
import type { MetricsRegistry } from '../metrics.ts';
import { version } from './version.ts';

export type GaugeNeeds = Pick<Ports, 'certificates' | 'renewals' | 'journal' | 'clock'> & {
  readonly queues: Pick<Queues, 'counts'>;
};

const day = 86_400_000;
/** What has to look at every record is not read anew each time somebody asks. */
const keptMs = 60_000;

/** What the store knows, for whoever reads the metrics of any agent on it. */
export function addGauges(metrics: MetricsRegistry, needs: GaugeNeeds): void {
  const held = kept(() => heldNow(needs), needs);
  metrics.gauge('info', async () => [{ labels: { version }, value: 1 }]);
  metrics.gauge('queue_jobs', async () =>
    Object.entries(await needs.queues.counts()).flatMap(([queue, states]) =>
      Object.entries(states).map(([state, value]) => ({ labels: { queue, state }, value })),
    ),
  );
  metrics.gauge('certificates', async () => (await held()).states);
  metrics.gauge('certificates_failing', async () => [{ labels: {}, value: (await held()).failing }]);
  metrics.gauge('certificate_least_days_left', async () => {
    const { leastDaysLeft } = await held();
    return leastDaysLeft === undefined ? [] : [{ labels: {}, value: leastDaysLeft }];
  });
  metrics.gauge('dns_journal_entries', () => journalNow(needs));
}

interface HeldNow {
  readonly states: readonly GaugeRow<'certificates'>[];
  readonly failing: number;
  readonly leastDaysLeft: number | undefined;
}

async function heldNow({ certificates, renewals, clock }: GaugeNeeds): Promise<HeldNow> {
  const wanted = (await certificates.lineages()).filter(
    ({ source, unwantedSince }) => source === 'acme' && unwantedSince === undefined,
  );
  const ids = wanted.map(({ id }) => id);
  const [currents, states] = await Promise.all([certificates.currents(ids), renewals.many(ids)]);
  const now = clock.now();
  const ends = currents.map((current) => current?.notAfter);
  const known = ends.filter((end) => end !== undefined);
  const count = (holds: (end: Instant | undefined) => boolean) => ends.filter(holds).length;
  const row = (state: string, value: number) => ({ labels: { state }, value });
  return {
    states: [
      row(
        'valid',
        count((end) => end !== undefined && end > now),
      ),
      row(
        'expired',
        count((end) => end !== undefined && end <= now),
      ),
      row(
        'missing',
        count((end) => end === undefined),
      ),
    ],
    failing: states.filter(({ failures }) => failures > 0).length,
    leastDaysLeft: known.length === 0 ? undefined : (Math.min(...known) - now) / day,
  };
}

async function journalNow({ journal }: GaugeNeeds): Promise<readonly GaugeRow<'dns_journal_entries'>[]> {
  const rows = new Map<string, { labels: { account: string; state: string }; value: number }>();
  for (const { account, state } of await journal.all()) {
    const key = `${account} ${state}`;
    const row = rows.get(key) ?? { labels: { account, state }, value: 0 };
    row.value++;
    rows.set(key, row);
  }
  return [...rows.values()];
}

/** What `read` gave last, for a minute. */
function kept<T>(read: () => Promise<T>, { clock }: Pick<GaugeNeeds, 'clock'>): () => Promise<T> {
  let last: { readonly at: Instant; readonly value: Promise<T> } | undefined;
  return () => {
    const now = clock.now();
    if (last !== undefined && now - last.at < keptMs) return last.value;
    const value = read();
    last = { at: now, value };
    // A failure is not kept.
    value.catch(() => {
      last = undefined;
    });
    return value;
  };
}
