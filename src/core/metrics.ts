/**
 * The numbers that an agent tells its operator's monitoring. Values of labels come from the configuration file or from a
 * closed list, never from tenants: each series more costs memory here and there.
 */

interface MetricDefinition {
  readonly kind: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels: readonly string[];
  /** Upper bounds of a histogram, ascending. */
  readonly buckets?: readonly number[];
}

type Definitions = Readonly<Record<string, MetricDefinition>>;

const seconds = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800];

/** By name, without the prefix that all have. */
export const metricTable = {
  info: { kind: 'gauge', help: 'Always 1; the version as a label.', labels: ['version'] },
  events_total: { kind: 'counter', help: 'What happened, by type of event.', labels: ['type'] },
  hosts_asked_total: {
    kind: 'counter',
    help: 'Hosts that clients asked for and nothing is held for: taken in, known, refused, or left for later (busy).',
    labels: ['outcome'],
  },
  queue_jobs: {
    kind: 'gauge',
    help: 'Jobs in the queues of all agents on the store, by state.',
    labels: ['queue', 'state'],
  },
  certificates: {
    kind: 'gauge',
    help: 'Certificates that are wanted: valid, expired, or missing (none was issued yet).',
    labels: ['state'],
  },
  certificates_failing: {
    kind: 'gauge',
    help: 'Certificates that are wanted and whose last attempt failed.',
    labels: [],
  },
  certificate_least_days_left: {
    kind: 'gauge',
    help: 'Days until the first of the certificates that are wanted expires; absent without any.',
    labels: [],
  },
  dns_calls_total: {
    kind: 'counter',
    help: 'Calls to DNS vendors, by what they were for and how they ended: ok or an error code.',
    labels: ['account', 'call', 'outcome'],
  },
  dns_call_changes: {
    kind: 'histogram',
    help: 'TXT values in one call that changes a zone.',
    labels: ['account'],
    buckets: [1, 2, 5, 10, 20, 50, 100, 200, 500],
  },
  dns_wait_seconds: {
    kind: 'histogram',
    help: 'Waits of TXT values: for the answer of the vendor (accepted), of these for its limits (limit), and from the answer until it shows (live).',
    labels: ['account', 'for'],
    buckets: seconds,
  },
  dns_journal_entries: {
    kind: 'gauge',
    help: 'TXT values that we put into zones or are about to, by state.',
    labels: ['account', 'state'],
  },
} as const satisfies Definitions;

type Table = typeof metricTable;

export type MetricName<Kind extends MetricDefinition['kind'] = MetricDefinition['kind']> = {
  [Name in keyof Table]: Table[Name]['kind'] extends Kind ? Name : never;
}[keyof Table];

/** A value for each label of the metric. */
export type MetricLabels<Name extends MetricName> = Readonly<Record<Table[Name]['labels'][number], string>>;

/** One value of a gauge. */
export interface GaugeRow<Name extends MetricName<'gauge'>> {
  readonly labels: MetricLabels<Name>;
  readonly value: number;
}
