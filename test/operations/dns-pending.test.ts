import { describe, expect, it } from 'vitest';
import { renderPending } from '../../src/cli/dns.ts';
import type { JournalEntry } from '../../src/core/ports.ts';
import { dnsPending } from '../../src/operations/dns-pending.ts';
import { bench, day, start, useBench } from './fixture.ts';

useBench();

function entry(id: string, more: Partial<JournalEntry> = {}): JournalEntry {
  return {
    ...{ id, account: 'byhand', zone: 'example.com', name: '_acme-challenge.example.com', value: id },
    ...{ state: 'added', lineage: 'example.com/*.example.com/ec', createdAt: start },
    ...{ leaseUntil: start + 6 * day, ...more },
  };
}

describe('records that wait for a person', () => {
  it('are those to add, the most urgent first, then those that may go', async () => {
    await bench.needs.journal.intend([
      entry('to-remove', { state: 'removing', shownAt: start }),
      entry('later'),
      entry('sooner', { leaseUntil: start + day, state: 'intent' }),
      entry('lasting', { leaseUntil: 8.64e15 }),
      entry('shown', { shownAt: start }),
      entry('never-added', { state: 'removing' }),
      entry('ours', { account: 'route53' }),
    ]);
    const { records, asOf } = await bench.run(dnsPending, {});
    expect(records.map(({ action, value }) => `${action} ${value}`)).toEqual([
      ...['add sooner', 'add later', 'add lasting', 'remove to-remove'],
    ]);
    expect(records[0]).toMatchObject({
      record: '_acme-challenge.example.com. 300 IN TXT "sooner"',
      until: start + day,
    });
    expect(records[2]?.until).toBeUndefined();
    expect(renderPending(records, asOf).split('\n').slice(0, 2)).toEqual([
      'ACTION  WITHIN       CERTIFICATE                   RECORD',
      'add     in 24 hours  example.com/*.example.com/ec  _acme-challenge.example.com. 300 IN TXT "sooner"',
    ]);
    expect((await bench.run(dnsPending, { account: 'other' })).records).toEqual([]);
  });

  it('are none where no account is kept by hand', async () => {
    expect((await bench.run(dnsPending, {})).records).toEqual([]);
  });
});
