export interface Setting {
  readonly concurrency: number;
  readonly count: number;
  /** Percentage of good nonces that the CA rejects. */
  readonly nonceReject: number;
}

/** What one contender needed for its certificates. */
export interface Measured {
  readonly seconds: number;
  /** Of its one Node process; Redis and the CA are not counted. */
  readonly cpuMs: number;
  /** In ms, of each certificate. */
  readonly latencies: readonly number[];
  /** Certificates that were not issued at the first attempt. */
  readonly lost: number;
}

export interface Result extends Measured {
  readonly contender: string;
  /** To the CA. */
  readonly requests: number;
  /** New ones to the CA. */
  readonly connections: number;
}

export type Row = Setting & Result;

const heads = [
  ...['contender', 'conc', 'reject', 'certs', 'certs/s', 'of loop', 'p50 ms', 'p95 ms'],
  ...['CPU ms', 'requests', 'connections', 'lost'],
];

export function head(): string {
  return heads.map(pad).join('');
}

/** Rates, CPU, requests and connections are per certificate; `loop` is the row to compare with. */
export function line(row: Row, loop: Row): string {
  const perSecond = (one: Row) => one.latencies.length / one.seconds;
  const each = (total: number, digits: number) => (total / row.latencies.length).toFixed(digits);
  const cells = [
    row.contender,
    row.concurrency,
    `${row.nonceReject} %`,
    row.latencies.length,
    perSecond(row).toFixed(1),
    (perSecond(row) / perSecond(loop)).toFixed(2),
    quantile(row.latencies, 0.5).toFixed(0),
    quantile(row.latencies, 0.95).toFixed(0),
    each(row.cpuMs, 1),
    each(row.requests, 2),
    each(row.connections, 2),
    row.lost,
  ];
  return cells.map(pad).join('');
}

function pad(cell: string | number): string {
  return String(cell).padEnd(12);
}

export function quantile(values: readonly number[], q: number): number {
  return (
    values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * q))] ?? Number.NaN
  );
}
