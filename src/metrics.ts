import { type GaugeRow, type MetricLabels, type MetricName, metricTable } from './core/metrics.ts';
import type { Clock, Log, Metrics } from './core/ports.ts';
import { inTime } from './core/wait.ts';

/** The numbers of one process. */
export interface MetricsRegistry extends Metrics {
  /** Read whenever somebody asks for the numbers; one that cannot be read is left out then. */
  gauge<Name extends MetricName<'gauge'>>(name: Name, read: () => Promise<readonly GaugeRow<Name>[]>): void;
  /** All of them, in the text format of Prometheus (version 0.0.4). */
  text(): Promise<string>;
}

interface Series {
  readonly labels: Readonly<Record<string, string>>;
  value: number;
  /** Of a histogram: observations up to each bound. */
  readonly counts: number[];
  observations: number;
}

type Family = Map<string, Series>;

const prefix = 'acme_agent_';
/** A label that is not as bounded as it should be must not fill the memory. */
const mostSeries = 1000;
const other = 'other';
/** Who asks waits ten seconds, usually. */
const readMs = 4000;

export function createMetrics({ clock, log }: { readonly clock: Clock; readonly log: Log }): MetricsRegistry {
  const families = new Map<MetricName, Family>();
  const gauges = new Map<MetricName<'gauge'>, () => Promise<readonly GaugeRow<MetricName<'gauge'>>[]>>();

  function seriesOf(name: MetricName, given: Readonly<Record<string, string>>): Series {
    const family: Family = families.get(name) ?? new Map();
    families.set(name, family);
    const known = family.get(labelText(given));
    if (known !== undefined) return known;
    const isFull = family.size >= mostSeries;
    const labels = isFull ? Object.fromEntries(Object.keys(given).map((key) => [key, other])) : given;
    const key = labelText(labels);
    const series = family.get(key) ?? { labels, value: 0, counts: [], observations: 0 };
    family.set(key, series);
    return series;
  }

  function observe<Name extends MetricName<'histogram'>>(
    name: Name,
    labels: MetricLabels<Name>,
    value: number,
  ): void {
    const series = seriesOf(name, labels);
    series.value += value;
    series.observations++;
    for (const [index, bound] of metricTable[name].buckets.entries())
      series.counts[index] = (series.counts[index] ?? 0) + (value <= bound ? 1 : 0);
  }

  async function readGauge(name: MetricName<'gauge'>): Promise<readonly string[]> {
    const read = gauges.get(name);
    if (read === undefined) return [];
    try {
      const late = () => new Error(`no answer within ${readMs / 1000} s`);
      const rows = await inTime({ clock, ms: readMs, late }, read);
      return rows.map(({ labels, value }) => line(name, labels, value));
    } catch (err) {
      log.debug({ metric: name, err }, 'a metric cannot be read');
      return [];
    }
  }

  async function linesOf(name: MetricName): Promise<readonly string[]> {
    if (isGauge(name)) return readGauge(name);
    const all = [...(families.get(name)?.values() ?? [])];
    return all.flatMap((series) => (isHistogram(name) ? histogram(name, series) : counter(name, series)));
  }

  async function text(): Promise<string> {
    const names = Object.keys(metricTable) as MetricName[];
    const parts = await Promise.all(names.map(linesOf));
    const blocks = names.flatMap((name, index) => {
      const { help, kind } = metricTable[name];
      const lines = parts[index] ?? [];
      if (lines.length === 0) return [];
      return [`# HELP ${prefix}${name} ${help}`, `# TYPE ${prefix}${name} ${kind}`, ...lines];
    });
    return blocks.map((block) => `${block}\n`).join('');
  }

  return {
    count: (name, labels, by = 1) => {
      seriesOf(name, labels).value += by;
    },
    observe,
    gauge: (name, read) => void gauges.set(name, read),
    text,
  };
}

function isGauge(name: MetricName): name is MetricName<'gauge'> {
  return metricTable[name].kind === 'gauge';
}

function isHistogram(name: MetricName): name is MetricName<'histogram'> {
  return metricTable[name].kind === 'histogram';
}

function counter(name: string, { labels, value }: Series): readonly string[] {
  return [line(name, labels, value)];
}

function histogram(
  name: MetricName<'histogram'>,
  { labels, value, counts, observations }: Series,
): readonly string[] {
  const bounds = metricTable[name].buckets.map((bound, index) =>
    line(`${name}_bucket`, { ...labels, le: String(bound) }, counts[index] ?? 0),
  );
  return [
    ...bounds,
    line(`${name}_bucket`, { ...labels, le: '+Inf' }, observations),
    line(`${name}_sum`, labels, value),
    line(`${name}_count`, labels, observations),
  ];
}

function line(name: string, labels: Readonly<Record<string, string>>, value: number): string {
  const text = labelText(labels);
  return `${prefix}${name}${text === '' ? '' : `{${text}}`} ${value}`;
}

/** Always in the order of the alphabet, so that it also tells series apart. */
function labelText(labels: Readonly<Record<string, string>>): string {
  return Object.keys(labels)
    .sort()
    .map((key) => `${key}="${escaped(labels[key] ?? '')}"`)
    .join(',');
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
