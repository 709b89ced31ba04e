import { describe, expect, test } from 'vitest';
import { cli, day, now, task } from './fixture.ts';

const place = { account: 'aws', zone: 'example.com', name: '_acme-challenge.example.com' };
const old = { ...place, value: 'a'.repeat(43), changedAt: now - 30 * day };
const ageless = { ...place, value: 'b'.repeat(43) };
const found = {
  asOf: now,
  zones: [{ account: 'aws', zone: 'example.com', scope: 'all' }],
  leftovers: [old, ageless],
  young: 1,
  trouble: ['example.org at aws: no zone'],
};

describe('dns gc', () => {
  test('lists what is left over, with its age where the vendor tells it, and deletes nothing', async () => {
    const { stdout, asked, code } = await cli(['dns', 'gc', 'example.com'], { answer: found });
    expect(asked).toEqual([{ operation: 'dns.gc', input: { zone: 'example.com' } }]);
    expect(stdout).toBe(
      [
        'ACCOUNT  NAME                         VALUE                                        CHANGED',
        `aws      _acme-challenge.example.com  ${'a'.repeat(43)}  30 days ago`,
        `aws      _acme-challenge.example.com  ${'b'.repeat(43)}  age unknown: the vendor does not tell`,
        '1 younger one may be in use and is not listed',
        'not looked through: example.org at aws: no zone',
        '',
      ].join('\n'),
    );
    expect(code).toBe(0);
  });

  test('says where only known names were looked up, and that there is nothing', async () => {
    const zones = [{ account: 'us', zone: 'example.com', scope: 'names' }];
    const answer = { ...found, zones, leftovers: [], young: 0, trouble: [] };
    expect((await cli(['dns', 'gc'], { answer })).stdout).toBe(
      'nothing is left over in example.com\nof example.com only the names with certificates were looked up: the vendor lists no records\n',
    );
  });

  test('deletes what it listed only with --delete, and what has no age only with --any-age', async () => {
    const answers = { 'dns.gc': found, 'dns.discard': { removed: [old], left: [] } };
    const some = await cli(['dns', 'gc', '--delete'], { answers });
    expect(some.asked[1]).toEqual({ operation: 'dns.discard', input: { records: [old] } });
    expect(some.stdout).toBe(
      `deleted ${place.name} ${old.value}\nkept 1 whose age nobody knows; --any-age deletes them, too\n`,
    );
    const all = await cli(['dns', 'gc', '--delete', '--any-age'], {
      answers: { ...answers, 'dns.discard': { removed: [old], left: [ageless] } },
    });
    expect(all.asked[1]?.input).toEqual({ records: [old, ageless] });
    expect(all.stdout).toContain(
      `not deleted yet, the agent goes on with it: ${place.name} ${ageless.value}`,
    );
    expect(all.code).toBe(5);
  });
});

test('dns doctor waits for its task and shows what was looked at, one line each', async () => {
  const done = task(
    [
      { id: 'zone', state: 'done', note: 'example.com' },
      { id: 'DNSSEC', state: 'skipped', note: 'nobody can say' },
      { id: 'seen at ns2.example.com', state: 'failed', note: 'not within 10 minutes' },
    ],
    { operation: 'dns.doctor', state: 'failed', finishedAt: now },
  );
  const { stdout, code } = await cli(['dns', 'doctor', 'example.com', '-q'], {
    answer: { taskId: 'task-1' },
    states: [done],
  });
  expect({ stdout, code }).toEqual({ stdout: '', code: 5 });
  const spoken = await cli(['dns', 'doctor', 'example.com'], {
    answer: { taskId: 'task-1' },
    states: [done],
  });
  expect(spoken.stdout).toBe(
    [
      'ok     zone: example.com',
      '-      DNSSEC: nobody can say',
      'AMISS  seen at ns2.example.com: not within 10 minutes',
      'Amiss: seen at ns2.example.com.',
      '',
    ].join('\n'),
  );
});

test('what is for programs has no command', async () => {
  const { code, stderr, asked } = await cli(['dns', 'discard', 'x']);
  expect(code).toBe(2);
  expect(stderr).toContain("unknown command 'discard'");
  expect(asked).toEqual([]);
});

describe('providers', () => {
  test('are listed and shown without an agent, also where the configuration is not right yet', async () => {
    for (const config of ['', 'nonsense: 1']) {
      const { stdout, code, asked } = await cli(['providers', 'list'], { config });
      expect(stdout).toMatch(/^PROVIDER +WHAT IT IS\n/);
      expect(stdout).toMatch(/^rfc2136 +DNS UPDATE/m);
      expect({ code, asked }).toEqual({ code: 0, asked: [] });
    }
  });

  test('are shown with their options, and with the policy to paste', async () => {
    const { stdout } = await cli(['providers', 'show', 'route53']);
    expect(stdout).toMatch(/^secretAccessKey +secret +- +Secret of that access key\.$/m);
    expect(stdout).toMatch(/^ttl +integer +10 +Seconds/m);
    const policy = JSON.parse(/Least rights, to paste there:\n\n(\{.*?\n\})\n/s.exec(stdout)?.[1] ?? '');
    expect(policy).toMatchObject({ Version: '2012-10-17' });
    const { stdout: json } = await cli(['--json', 'providers', 'show', 'rfc2136']);
    expect(JSON.parse(json).provider.options).toContainEqual({
      name: 'tsig.secret',
      value: 'secret',
      isRequired: true,
      summary: 'The key itself, base64.',
    });
    expect((await cli(['-q', 'providers', 'list'])).stdout).toContain('\nmanual\n');
  });

  test('that are not there are refused with the nearest one', async () => {
    const { stderr, code } = await cli(['providers', 'show', 'rout53']);
    expect(stderr).toBe('acme-agent: there is no DNS provider "rout53"; do you mean route53?\n');
    expect(code).toBe(4);
  });
});
