import { describe, expect, it } from 'vitest';
import type { DnsCare, DnsExamination, Leftover, LeftoverSearch } from '../../src/core/dns-care.ts';
import { dnsDoctor } from '../../src/operations/dns-doctor.ts';
import { dnsDiscard, dnsGc } from '../../src/operations/dns-gc.ts';
import { domainsAdd } from '../../src/operations/domains.ts';
import { taskShow } from '../../src/operations/tasks.ts';
import { bench, day, start, useBench } from './fixture.ts';

useBench();

const leftover: Leftover = {
  ...{ account: 'route53', zone: 'example.com', name: '_acme-challenge.example.com' },
  ...{ value: 'a'.repeat(43), changedAt: start - 8 * day },
};

function care(more: Partial<DnsCare>): void {
  Object.assign(bench.needs.dnsCare, more);
}

describe('dns.gc', () => {
  it('asks about the domains that are proven by DNS, and lists what is old or of unknown age', async () => {
    const searches: LeftoverSearch[] = [];
    const young = { ...leftover, value: 'b'.repeat(43), changedAt: start - day };
    const { changedAt: _, ...ageless } = { ...leftover, value: 'c'.repeat(43) };
    care({
      leftovers: async (search) => {
        searches.push(search);
        return { zones: [], leftovers: [young, ageless, leftover], trouble: [] };
      },
    });
    await bench.run(domainsAdd, { name: 'example.com', dnsAccount: 'route53', mode: 'wildcard' });
    await bench.run(domainsAdd, { name: 'example.org', mode: 'individual', hosts: ['www.example.org'] });
    const answer = await bench.run(dnsGc, {});
    expect(searches).toEqual([
      {
        zone: undefined,
        account: undefined,
        domains: [{ name: 'example.com', account: 'route53' }],
        names: ['example.com'],
      },
    ]);
    expect(answer).toMatchObject({ young: 1, leftovers: [leftover, ageless] });
    const all = await bench.run(dnsGc, { olderThan: '1h', zone: 'example.com' });
    expect(all).toMatchObject({ young: 0 });
    expect(searches[1]?.zone).toBe('example.com');
  });
});

describe('dns.discard', () => {
  it('takes away what it is given by value, and says what is left', async () => {
    const gone: Leftover[] = [];
    care({
      discard: async (list) => {
        gone.push(...list);
        return list.slice(0, 1);
      },
    });
    const other = { ...leftover, value: 'b'.repeat(43) };
    const answer = await bench.run(dnsDiscard, { records: [leftover, other] });
    expect(gone).toEqual([leftover, other]);
    expect(answer).toEqual({ removed: [leftover], left: [other] });
    const [event] = await bench.events('command.done');
    expect(event?.facts).toMatchObject({ operation: 'dns.discard', removed: 1, left: 1 });
  });

  it.each([
    [{ value: 'google-site-verification=abc' }, 'records.0.value must be the answer to a challenge'],
    [{ name: 'example.com' }, 'records.0.name must be a name of challenges'],
    [{ name: '_dmarc.example.com' }, 'records.0.name must be a name of challenges'],
  ])('refuses %j: it could be anything', async (more, message) => {
    await expect(bench.run(dnsDiscard, { records: [{ ...leftover, ...more }] })).rejects.toMatchObject({
      code: 'command.invalid',
      message: expect.stringContaining(message),
    });
  });
});

describe('dns.doctor', () => {
  const examination: DnsExamination = {
    findings: [
      { about: 'zone', level: 'fine', message: 'example.com' },
      { about: 'DNSSEC', level: 'unknown', message: 'nobody can say' },
    ],
    place: {
      ...{ account: 'route53', zone: 'example.com', name: '_acme-challenge.example.com', isByHand: false },
    },
    servers: ['ns1.example.com'],
  };

  it('begins a task with what is seen at once, and leaves the trial to the workers', async () => {
    const questions: object[] = [];
    care({
      examine: async (question) => {
        questions.push(question);
        return examination;
      },
    });
    bench.preflight.findings = ({ names: [name = ''] }) => [
      { name, level: 'stop', code: 'challenge.caa', message: 'The CAA records forbid it.' },
    ];
    await bench.run(domainsAdd, { name: 'example.com', dnsAccount: 'route53', mode: 'wildcard' });
    const { taskId } = await bench.run(dnsDoctor, { name: '*.example.com' }, { idempotencyKey: 'one' });
    expect(questions).toEqual([{ name: 'example.com', account: 'route53' }]);
    const { task } = await bench.run(taskShow, { id: taskId });
    expect(task).toMatchObject({ state: 'running', operation: 'dns.doctor' });
    expect(task.items.map(({ id, state }) => `${id}: ${state}`)).toEqual([
      ...['zone: done', 'DNSSEC: skipped', 'CAA for letsencrypt: failed'],
      ...['write: waiting', 'seen at ns1.example.com: waiting', 'remove: waiting'],
    ]);
    const errand = `dns-doctor/${taskId}/example.com/route53`;
    expect(bench.woken.at(-1)).toEqual({ job: 'upkeep', ids: [errand] });
    expect(await bench.needs.due.at('upkeep', errand)).toBe(start);
    const again = await bench.run(dnsDoctor, { name: '*.example.com' }, { idempotencyKey: 'one' });
    expect(again.taskId).toBe(taskId);
    expect(questions).toHaveLength(1);
  });

  it('is through at once where nothing can be tried', async () => {
    care({
      examine: async () => ({
        findings: [{ about: 'zone', level: 'amiss', message: 'nobody can write it' }],
        servers: [],
      }),
    });
    const { taskId } = await bench.run(dnsDoctor, { name: 'www.example.net' });
    const { task } = await bench.run(taskShow, { id: taskId });
    expect(task).toMatchObject({ state: 'failed', finishedAt: start });
    expect(bench.woken).toEqual([]);
  });
});
