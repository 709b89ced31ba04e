import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { secret } from '../../src/core/secret.ts';
import { domainsAdd } from '../../src/operations/domains.ts';
import { issue } from '../../src/operations/issue.ts';
import { why } from '../../src/operations/why.ts';
import { type Bench, type Benches, day, holdFallback, start, startBenches } from './fixture.ts';

let benches: Benches;
let bench: Bench;

const a = 'example.com/a.example.com/ec';
const minute = 60_000;
const hour = 60 * minute;

beforeAll(async () => {
  benches = await startBenches();
});
beforeEach(async () => {
  bench = await benches.open();
  await bench.run(domainsAdd, { name: 'example.com', hosts: ['a.example.com'] });
});
afterAll(() => benches?.stop());

const lines = async (host: string) => (await bench.run(why, { host })).lines;

test('a host that is well: what is served, where it was seen, and when it is renewed', async () => {
  const { fingerprint } = await bench.hold(a, start + 60 * day);
  await bench.remember(a, { renewAt: start + 30 * day });
  await bench.needs.changes.commit({
    due: [{ job: 'issue', id: a, at: start + 30 * day }],
    putDeployments: [
      {
        version: 0,
        target: 'files',
        lineage: a,
        failures: 0,
        observed: { fingerprint, source: 'acme', at: start - 3 * minute },
      },
    ],
  });
  expect(await lines('a.example.com')).toEqual([
    'a.example.com is served a certificate of letsencrypt (R11), valid until 2027-01-19 12:00:00 UTC (in 60 days).',
    `Certificate ${a}.`,
    'At files: it is in place, last seen 3 minutes ago.',
    'Next: renewal at 2026-12-20 12:00:00 UTC (in 30 days).',
  ]);
});

test('a host that fails: the stand-in, the attempts, the error with its advice, and the next attempt', async () => {
  const fallback = await holdFallback(bench, 'example.com/a.example.com', start + 80 * day);
  await bench.remember(a, {
    failures: 3,
    failingSince: start - 2 * hour,
    retryAt: start + 9 * minute,
    lastFailure: {
      at: start - minute,
      code: 'challenge.dns',
      message: 'letsencrypt could not validate the name',
      issuer: 'letsencrypt',
      names: { 'a.example.com': 'no A record' },
    },
    reminders: { count: 2, silencedUntil: start + day },
  });
  await bench.needs.changes.commit({
    due: [{ job: 'issue', id: a, at: start + 9 * minute }],
    putDeployments: [
      {
        version: 0,
        target: 'files',
        lineage: a,
        failures: 0,
        observed: { fingerprint: fallback.fingerprint, source: 'self-signed', at: start - hour },
      },
    ],
  });
  const answer = await bench.run(why, { host: 'a.example.com' });
  expect(answer.lines).toEqual([
    'a.example.com is served a self-signed certificate, which browsers warn of, valid until 2027-02-08 12:00:00 UTC (in 80 days).',
    `Certificate ${a}.`,
    'At files: it is in place, last seen 1 hour ago.',
    'There is no trusted one: 3 attempts failed since 2026-11-20 10:00:00 UTC (2 hours ago).',
    'Last error, 1 minute ago at letsencrypt: letsencrypt could not validate the name.',
    '  a.example.com: no A record.',
    'What to do: Check that the name resolves: A, AAAA, NS and DNSSEC, from outside.',
    'Next: attempt 4 at 2026-11-20 12:09:00 UTC (in 9 minutes).',
    '2 reminders sent so far.',
    'Reminders are silent until 2026-11-21 12:00:00 UTC (in 24 hours).',
  ]);
  expect(answer.certificates).toMatchObject([
    {
      lineage: a,
      failures: 3,
      served: { source: 'self-signed' },
      targets: [{ target: 'files', shows: 'same' }],
    },
  ]);
});

test('a renewal in trouble does not take the certificate away', async () => {
  await bench.hold(a, start + 5 * day);
  await bench.remember(a, { failures: 1, failingSince: start - hour });
  expect(await lines('a.example.com')).toContain(
    'Its renewal is in trouble: 1 attempt failed since 2026-11-20 11:00:00 UTC (1 hour ago). The certificate is served until it expires.',
  );
});

test('a new host whose order is under way, and whose target shows nothing yet', async () => {
  const lineage = await bench.needs.certificates.lineage(a);
  if (lineage === undefined) throw new Error('no lineage');
  await bench.needs.changes.commit({
    putIssuance: {
      lineage: a,
      wanted: lineage.wanted,
      issuer: 'letsencrypt',
      privateKey: secret<Uint8Array>(Buffer.from('a key that is never shown to anybody')),
      csrDer: new Uint8Array(1),
      startedAt: start - 4000,
      presented: {},
    },
  });
  expect(await lines('a.example.com')).toEqual([
    'a.example.com has no certificate yet, not even a self-signed one.',
    `Certificate ${a}.`,
    'At files: nothing was put there yet.',
    'An order is under way at letsencrypt, begun 4 seconds ago.',
    'Next: the order goes on as soon as a worker is free.',
  ]);
});

test('a target in trouble is named with its own error and next try', async () => {
  await bench.hold(a, start + 60 * day);
  await bench.needs.changes.commit({
    putDeployments: [
      {
        version: 0,
        target: 'files',
        lineage: a,
        failures: 2,
        retryAt: start + 10 * minute,
        observed: { fingerprint: 'ff', source: 'self-signed', at: start - day },
        lastFailure: { at: start, code: 'deploy.target', message: 'files: /srv/tls is full' },
      },
    ],
  });
  expect(await lines('a.example.com')).toContain(
    'At files: still the self-signed one, last seen 24 hours ago. files: /srv/tls is full. Next try at 2026-11-20 12:10:00 UTC (in 10 minutes).',
  );
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
