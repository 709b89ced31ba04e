import { describe, expect, test } from 'vitest';
import { systemClock } from '../src/clock.ts';
import { createMetrics } from '../src/metrics.ts';
import { createMemoryLog } from './support/memory.ts';

const log = createMemoryLog();

function linesOf(text: string): readonly string[] {
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

describe('the numbers of a process', () => {
  test('are counted by label, and written as Prometheus reads them', async () => {
    const metrics = createMetrics({ clock: systemClock, log });
    metrics.count('dns_calls_total', { account: 'aws', call: 'apply', outcome: 'ok' });
    metrics.count('dns_calls_total', { outcome: 'ok', call: 'apply', account: 'aws' });
    metrics.count('dns_calls_total', { account: 'aws', call: 'apply', outcome: 'provider.throttled' }, 3);

    expect(await metrics.text()).toBe(
      [
        '# HELP acme_agent_dns_calls_total Calls to DNS vendors, by what they were for and how they ended: ok or an error code.',
        '# TYPE acme_agent_dns_calls_total counter',
        'acme_agent_dns_calls_total{account="aws",call="apply",outcome="ok"} 2',
        'acme_agent_dns_calls_total{account="aws",call="apply",outcome="provider.throttled"} 3',
        '',
      ].join('\n'),
    );
  });

  test('fall into the buckets of a histogram, each with all below it', async () => {
    const metrics = createMetrics({ clock: systemClock, log });
    for (const changes of [1, 7, 7, 1000]) metrics.observe('dns_call_changes', { account: 'aws' }, changes);

    const lines = linesOf(await metrics.text());
    const bucket = (le: string) => lines.find((line) => line.includes(`le="${le}"`))?.split(' ')[1];
    expect(['1', '5', '10', '500', '+Inf'].map(bucket)).toEqual(['1', '1', '3', '3', '4']);
    expect(lines).toContain('acme_agent_dns_call_changes_sum{account="aws"} 1015');
    expect(lines).toContain('acme_agent_dns_call_changes_count{account="aws"} 4');
  });

  test('cannot be led astray by what stands in a label', async () => {
    const metrics = createMetrics({ clock: systemClock, log });
    metrics.count('events_total', { type: 'a"} 1\nb\\' });
    expect(linesOf(await metrics.text())).toEqual(['acme_agent_events_total{type="a\\"} 1\\nb\\\\"} 1']);
  });

  test('stay bounded: what a label has too much of is counted together', async () => {
    const metrics = createMetrics({ clock: systemClock, log });
    for (let count = 0; count < 1500; count++) metrics.count('events_total', { type: `type-${count}` });
    const lines = linesOf(await metrics.text());
    expect(lines.length).toBeLessThanOrEqual(1001);
    expect(lines).toContain('acme_agent_events_total{type="other"} 500');
  });

  test('are there without a gauge that cannot be read', async () => {
    const metrics = createMetrics({ clock: systemClock, log });
    metrics.count('events_total', { type: 'certificate.issued' });
    metrics.gauge('queue_jobs', () => Promise.reject(new Error('the store is away')));
    metrics.gauge('certificates_failing', async () => [{ labels: {}, value: 2 }]);
    const lines = linesOf(await metrics.text());
    expect(lines).toEqual([
      'acme_agent_events_total{type="certificate.issued"} 1',
      'acme_agent_certificates_failing 2',
    ]);
  });

  test('do not wait for a gauge that never answers', async () => {
    const after: typeof systemClock.after = (ms, run) => systemClock.after(ms / 100, run);
    const metrics = createMetrics({ clock: { ...systemClock, after }, log });
    metrics.gauge('certificates_failing', () => new Promise(() => {}));
    metrics.count('events_total', { type: 'certificate.issued' });
    expect(linesOf(await metrics.text())).toHaveLength(1);
  });
});
