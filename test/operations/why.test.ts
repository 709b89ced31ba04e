import { beforeEach, describe, expect, test } from 'vitest';
import { deploymentId } from '../../src/core/records.ts';
import { domainsAdd, domainsSet } from '../../src/operations/domains.ts';
import { issue } from '../../src/operations/issue.ts';
import { why } from '../../src/operations/why.ts';
import { bench, day, holdFallback, holdOrder, start, useBench } from './fixture.ts';

const a = 'example.com/a.example.com/ec';
const minute = 60_000;
const hour = 60 * minute;

useBench();
beforeEach(async () => {
  await bench.run(domainsAdd, { name: 'example.com', hosts: ['a.example.com'] });
});

const lines = async (host: string) => (await bench.run(why, { host })).lines;

test('a host that is well: what is served, where it was seen, and when it is renewed', async () => {
  const certificate = await bench.hold(a, start + 60 * day);
  await bench.remember(a, { renewAt: start + 30 * day });
  await bench.needs.changes.commit({ due: [{ job: 'issue', id: a, at: start + 30 * day }] });
  await bench.seen(a, certificate);
  bench.now = start + 3 * minute;
  expect(await lines('a.example.com')).toEqual([
    'a.example.com is served a certificate of letsencrypt (R11), valid until 2027-01-19 12:00:00 UTC (in 59 days).',
    `Certificate ${a}.`,
    'At files: in place, last seen 3 minutes ago.',
    'Next: renewal at 2026-12-20 12:00:00 UTC (in 29 days).',
  ]);
});

test('a host that fails: the stand-in, the attempts, the error with its advice, and the next attempt', async () => {
  const fallback = await holdFallback('example.com/a.example.com', start + 80 * day);
  await bench.remember(a, {
    failures: 3,
    failingSince: start - 2 * hour,
    retryAt: start + 9 * minute,
    lastFailure: {
      at: start - minute,
      code: 'challenge.dns',
      message: 'b.example.com: no AAAA record',
      issuer: 'letsencrypt',
      names: { 'a.example.com': 'no A record', 'b.example.com': 'no AAAA record' },
    },
    reminders: { count: 2, lastAt: start - hour, silencedUntil: start + day },
  });
  await bench.needs.changes.commit({
    due: [
      { job: 'issue', id: a, at: start + 9 * minute },
      { job: 'remind', id: a, at: start + day },
    ],
  });
  await bench.seen(a, fallback);
  const answer = await bench.run(why, { host: 'a.example.com' });
  expect(answer.lines).toEqual([
    'a.example.com is served the self-signed fallback, which browsers warn of, valid until 2027-02-08 12:00:00 UTC (in 80 days).',
    `It stands in for certificate ${a}, which is not served anywhere.`,
    'At files: in place, last seen now.',
    'There is no trusted one: 3 attempts failed since 2026-11-20 10:00:00 UTC (2 hours ago).',
    'Last error, 1 minute ago at letsencrypt: b.example.com: no AAAA record.',
    '  a.example.com: no A record.',
    'What to do: Check that the name resolves: A, AAAA, NS and DNSSEC, from outside.',
    'Next: attempt 4 at 2026-11-20 12:09:00 UTC (in 9 minutes).',
    'Reminders: 2 of 30 sent, the last 1 hour ago; the next at 2026-11-21 12:00:00 UTC (in 24 hours).',
    'Reminders are silent until 2026-11-21 12:00:00 UTC (in 24 hours).',
  ]);
  expect(answer.certificates).toMatchObject([
    {
      lineage: a,
      failures: 3,
      wanted: { source: 'self-signed' },
      targets: [{ target: 'files', shows: 'same' }],
    },
  ]);
});

test('a certificate without a name that its CA refused says so, and when that is tried again', async () => {
  const certificate = await bench.hold(a, start + 60 * day);
  await bench.seen(a, certificate);
  const message = 'b.example.com points elsewhere';
  await bench.remember(a, {
    leftOut: {
      'b.example.com': {
        failures: 2,
        since: start - hour,
        retryAt: start + 100 * minute,
        failure: { at: start - minute, code: 'challenge.unauthorized', message, issuer: 'letsencrypt' },
      },
    },
  });
  const answer = await bench.run(why, { host: 'a.example.com' });
  expect(answer.lines).toEqual(
    expect.arrayContaining([
      'Without b.example.com since 2026-11-20 11:00:00 UTC (1 hour ago), refused 2 times: b.example.com points elsewhere.',
      '  It is tried again at 2026-11-20 13:40:00 UTC (in 1 hour).',
    ]),
  );
  expect(answer.certificates[0]?.leftOut).toMatchObject([{ name: 'b.example.com', failures: 2 }]);
});

describe('a name that its CA refused', () => {
  const shop = 'example.org/x.example.org/ec';
  const message = 'y.example.org points elsewhere';
  const leftOut = {
    'y.example.org': {
      failures: 2,
      since: start - hour,
      retryAt: start + 100 * minute,
      failure: { at: start - minute, code: 'challenge.unauthorized', message, issuer: 'letsencrypt' },
    },
  };
  const first = [
    'y.example.org is not on its certificate since 2026-11-20 11:00:00 UTC (1 hour ago), so browsers warn of it: letsencrypt refused it 2 times, the last 1 minute ago: y.example.org points elsewhere.',
    expect.stringMatching(/^What to do: /),
    'It is tried again at 2026-11-20 13:40:00 UTC (in 1 hour).',
  ];

  beforeEach(async () => {
    await bench.run(domainsAdd, { name: 'example.org', mode: 'custom', partial: true });
    await bench.run(issue, { names: ['x.example.org', 'y.example.org', 'z.example.org'] });
    await bench.remember(shop, { leftOut, requested: undefined });
  });

  test('hears first that it is not on the certificate, why, and when it is tried again', async () => {
    const names = ['x.example.org', 'z.example.org'];
    await bench.seen(shop, await bench.hold(shop, start + 60 * day, { names }));
    const said = await lines('y.example.org');
    expect(said.slice(0, 5)).toEqual([
      ...first,
      'The rest of it, x.example.org, z.example.org, is served a certificate of letsencrypt (R11), valid until 2027-01-19 12:00:00 UTC (in 60 days).',
      `Certificate ${shop}.`,
    ]);
    expect(said.join()).not.toContain('Without');
    const others = await lines('z.example.org');
    expect(others[0]).toMatch(/^z\.example\.org is served a certificate of letsencrypt/);
    expect(others).toContainEqual(expect.stringMatching(/^Without y\.example\.org since/));
  });

  test('hears what is served as long as that has the name', async () => {
    await bench.seen(shop, await bench.hold(shop, start + 60 * day));
    expect((await lines('y.example.org'))[0]).toMatch(/^y\.example\.org is served a certificate/);
  });
});

test('reminders after the thirtieth are weekly, and it says so', async () => {
  await bench.remember(a, {
    failures: 40,
    failingSince: start - 40 * day,
    reminders: { count: 31, lastAt: start - day },
  });
  await bench.needs.changes.commit({ due: [{ job: 'remind', id: a, at: start + 6 * day }] });
  expect(await lines('a.example.com')).toContain(
    'Reminders: 31 sent, the last 24 hours ago, weekly since number 30; the next at 2026-11-26 12:00:00 UTC (in 6 days).',
  );
});

test('a renewal in trouble does not take the certificate away', async () => {
  await bench.hold(a, start + 5 * day);
  await bench.remember(a, { failures: 1, failingSince: start - hour });
  expect(await lines('a.example.com')).toContain(
    'Its renewal is in trouble: 1 attempt failed since 2026-11-20 11:00:00 UTC (1 hour ago). The certificate held is served until it expires.',
  );
});

test('the advice of the CA on when to renew, and its reason', async () => {
  await bench.hold(a, start + 60 * day);
  await bench.remember(a, {
    window: {
      start: start + day,
      end: start + 2 * day,
      chosenAt: start + day,
      explanationUrl: 'https://ca.test/why',
    },
  });
  expect(await lines('a.example.com')).toContain(
    'The CA advises to renew it between 2026-11-21 12:00:00 UTC (in 24 hours) and 2026-11-22 12:00:00 UTC (in 2 days); its reason: https://ca.test/why.',
  );
});

test('a new host whose order is under way, and whose target shows nothing yet', async () => {
  await holdOrder(a, { startedAt: start - 4000 });
  expect(await lines('a.example.com')).toEqual([
    'a.example.com is served nothing yet, not even the self-signed fallback: no deploy target was seen to show one.',
    `Certificate ${a}.`,
    'At files: nothing was seen there yet.',
    '  Next deployment: as soon as a worker is free.',
    'An order is under way at letsencrypt, begun 4 seconds ago.',
    'Next: the order goes on as soon as a worker is free.',
  ]);
});

describe('what the targets were seen to show', () => {
  const failed = (code: string, message: string) => ({
    failures: 2,
    retryAt: start + 10 * minute,
    lastFailure: { at: start - minute, code, message },
  });
  const dueAt = (at: number) =>
    bench.needs.changes.commit({ due: [{ job: 'deploy', id: deploymentId('files', a), at }] });

  test('a target that took nothing still shows the stand-in, for all that is held', async () => {
    const fallback = await holdFallback('example.com/a.example.com', start + 80 * day);
    await bench.hold(a, start + 60 * day);
    await bench.seen(a, fallback, failed('deploy.target', 'files: /srv/tls is full'));
    await dueAt(start + 10 * minute);
    expect((await lines('a.example.com')).slice(0, 7)).toEqual([
      'a.example.com is served the self-signed fallback, which browsers warn of, valid until 2027-02-08 12:00:00 UTC (in 80 days).',
      `It stands in for certificate ${a}, which is not served anywhere.`,
      'To be served: a certificate of letsencrypt (R11), valid until 2027-01-19 12:00:00 UTC (in 60 days).',
      'At files: still the self-signed fallback, last seen now.',
      '  2 deployments failed, the last 1 minute ago: files: /srv/tls is full.',
      '  What to do: Check the deploy target: its path, rights and disk space.',
      '  Next deployment: at 2026-11-20 12:10:00 UTC (in 10 minutes).',
    ]);
  });

  test('a predecessor that has expired there is called so, also when it is no longer held', async () => {
    const old = await bench.hold(a, start - day);
    await bench.hold(a, start + 60 * day);
    await bench.seen(a, old);
    const [headline, , , sight] = await lines('a.example.com');
    expect(headline).toBe(
      'a.example.com is served a certificate of letsencrypt (R11), EXPIRED since 2026-11-19 12:00:00 UTC (24 hours ago).',
    );
    expect(sight).toBe('At files: still an EXPIRED one, last seen now.');
    for (let generation = 0; generation < 3; generation++) await bench.hold(a, start + 60 * day);
    expect((await lines('a.example.com'))[0]).toBe(
      'a.example.com is served an earlier certificate, which is no longer held here.',
    );
  });

  test('a reload that fails is not taken for files that are missing', async () => {
    await bench.hold(a, start + 60 * day);
    await bench.seen(a, undefined, failed('deploy.reload', 'reload "nginx -s reload" of files failed'));
    const said = await lines('a.example.com');
    expect(said[0]).toBe(
      'a.example.com has a certificate at its target, but no server was told of it: the reload failed.',
    );
    expect(said).toContain('At files: the new one lies there, but the reload failed.');
  });

  test('targets that differ are told apart', async () => {
    await bench.run(domainsSet, { name: 'example.com', deploy: ['files', 'web'] });
    const certificate = await bench.hold(a, start + 60 * day);
    await bench.seen(a, certificate);
    expect((await lines('a.example.com')).slice(0, 6)).toEqual([
      'a.example.com is not served the same everywhere; this is what its targets show.',
      `Certificate ${a}.`,
      'To be served: a certificate of letsencrypt (R11), valid until 2027-01-19 12:00:00 UTC (in 60 days).',
      'At files: in place, last seen now.',
      'At web: nothing was seen there yet.',
      expect.stringMatching(/^ {2}Next deployment: /),
    ]);
  });

  test('a domain without targets keeps its certificate in the store', async () => {
    await bench.run(domainsSet, { name: 'example.com', deploy: [] });
    await bench.hold(a, start + 60 * day);
    expect((await lines('a.example.com'))[0]).toMatch(
      /^a\.example\.com has a certificate of letsencrypt .*; its domain has no deploy target, so it stays in the store\.$/,
    );
  });
});

test('a name that is not known: the nearest one, and the command that adds it', async () => {
  expect(await lines('b.example.com')).toEqual([
    'Nothing is served for b.example.com: example.com is configured, but it has no such host.',
    'Nearest that is known: a.example.com.',
    'To add it: acme-agent hosts add b.example.com',
  ]);
  expect(await lines('shop.exmaple.com')).toEqual([
    'Nothing is served for shop.exmaple.com: it lies under no domain that is configured.',
    'Nearest that is known: example.com.',
    'To add it: acme-agent domains add exmaple.com --hosts shop.exmaple.com',
  ]);
});

test('a host of a domain that makes no certificates by itself', async () => {
  await bench.run(domainsAdd, { name: 'example.org', mode: 'custom', hosts: ['x.example.org'] });
  expect(await lines('x.example.org')).toEqual([
    'Nothing is served for x.example.org: example.org makes no certificates by itself (mode custom).',
    'To have one: acme-agent issue x.example.org',
  ]);
  await bench.run(issue, { names: ['x.example.org', 'y.example.org'] });
  expect((await lines('y.example.org'))[1]).toBe('Certificate example.org/x.example.org/ec.');
});
