import { describe, expect, test } from 'vitest';
import type { NoticeKind } from '../../src/core/ports.ts';
import { renderMessage } from '../../src/notify/templates.ts';
import { day, notice, now } from './notices.ts';

test('a failure says which names, what happened, what visitors see, what comes next and what to do', () => {
  const { subject, text } = renderMessage(
    [
      notice({
        issuer: 'letsencrypt',
        code: 'challenge.dns',
        advice: 'Check that the name resolves.',
        expiresAt: now + 12 * day,
        nextAttemptAt: now + 100 * 60_000,
      }),
    ],
    now,
  );
  expect(subject).toBe('[acme-agent] No new certificate for www.example.com');
  expect(text.split('\n').slice(0, 8)).toEqual([
    'No new certificate for www.example.com',
    '',
    '- www.example.com',
    '',
    'What happened: DNS problem: NXDOMAIN looking up A for www.example.com (issuer letsencrypt) [challenge.dns]',
    'What visitors see: Nothing of it yet: the present certificate is valid until 13 December 2026, 10:00 UTC.',
    'What the agent does: Tries again in 2 hours (1 December 2026, 11:40 UTC).',
    'What you can do: Check that the name resolves.',
  ]);
  expect(text).toContain('acme-agent why www.example.com');
});

test('a reminder is numbered within its series; the last one and those after it say that they come weekly', () => {
  const message = (number: number, of?: number) =>
    renderMessage([notice({ kind: 'reminder', reminder: { number, of } })], now);
  const third = message(3, 30);
  expect(third.subject).toBe('[acme-agent] Reminder 3 of 30: no new certificate for www.example.com');
  expect(third.text).not.toContain('every week');
  expect(message(30, 30).text).toContain('This is the last daily reminder; from now on one comes every week');
  const later = message(31);
  expect(later.subject).toBe(
    '[acme-agent] Weekly reminder (number 31): no new certificate for www.example.com',
  );
  expect(later.text).toContain('Reminders: The daily reminders are over; from now on one comes every week');
});

test('what visitors see follows from whether there is a valid certificate', () => {
  const text = (expiresAt: number | undefined) => renderMessage([notice({ expiresAt })], now).text;
  expect(text(undefined)).toContain('security warning: there is no trusted certificate yet');
  expect(text(now - day)).toContain(
    'security warning: the certificate expired on 30 November 2026, 10:00 UTC',
  );
  expect(text(now + day)).toContain('Nothing of it yet');
});

test('names of one kind and cause become one section with a list', () => {
  const failures = ['a.example.com', 'b.example.com', 'c.example.com'].map((name, i) =>
    notice({
      id: `${i}`,
      names: [name],
      message: `no address for ${name}`,
      code: 'challenge.dns',
      issuer: 'le',
    }),
  );
  const { subject, text } = renderMessage(failures, now);
  expect(subject).toBe('[acme-agent] No new certificate for a.example.com and 2 more');
  expect(text.match(/No new certificate/g)).toHaveLength(1);
  for (const { names } of failures)
    expect(text).toContain(`- ${names[0]}\n  What happened: no address for ${names[0]} (issuer le)`);
  expect(text.match(/What visitors see/g)).toHaveLength(1);
});

test('reminders of different number in one section keep their numbers', () => {
  const { subject, text } = renderMessage(
    [
      notice({ kind: 'reminder', reminder: { number: 2, of: 30 } }),
      notice({ kind: 'reminder', names: ['b.example.com'], reminder: { number: 5, of: 30 } }),
    ],
    now,
  );
  expect(subject).toBe('[acme-agent] Reminder: no new certificate for www.example.com and b.example.com');
  expect(text).toContain('- www.example.com\n  Reminder 2 of 30');
  expect(text).toContain('- b.example.com\n  Reminder 5 of 30');
});

test('different causes are sections of one message, the most urgent first', () => {
  const { subject, text } = renderMessage(
    [notice({ kind: 'recovered', names: ['b.example.com'] }), notice({ kind: 'fallback' })],
    now,
  );
  expect(subject).toBe('[acme-agent] Visitors of www.example.com get a security warning, and 1 more');
  expect(text.indexOf('www.example.com')).toBeLessThan(text.indexOf('b.example.com'));
});

describe('every kind of notice', () => {
  const subjects: Record<NoticeKind, string> = {
    failed: 'No new certificate for www.example.com',
    reminder: 'Reminder: no new certificate for www.example.com',
    expiring: 'Reminder: the uploaded certificate for www.example.com wants a successor',
    'binding-lapsed': 'What is bound for www.example.com is not shown any more',
    fallback: 'Visitors of www.example.com get a security warning',
    recovered: 'The certificate for www.example.com is in order again',
    'deploy-failed': 'The certificate for www.example.com did not get to web',
    'probe-failed': 'Visitors of www.example.com are shown something else than was deployed',
    'probe-recovered': 'Visitors of www.example.com are shown the certificate that was deployed again',
    'deploy-recovered': 'The certificate for www.example.com is at web again',
    revoked: 'The certificate for www.example.com was revoked by its CA',
    'revocation-late': 'The certificate for www.example.com is not revoked yet',
    advice: 'The CA wants the certificate for www.example.com renewed at another time',
    'record-wanted': 'DNS records to add for www.example.com',
    'record-idle': 'DNS records that may be removed for www.example.com',
    store: 'The agent cannot work: its store is in trouble',
  };
  test.each(Object.entries(subjects))('%s has its words', (kind, subject) => {
    const message = renderMessage([notice({ kind: kind as NoticeKind, issuer: 'web' })], now);
    expect(message.subject).toBe(`[acme-agent] ${subject}`);
    expect(message.text).not.toMatch(/undefined|NaN|Invalid/);
    expect(message.html).not.toMatch(/undefined|NaN|Invalid/);
    expect(message.text).toMatch(/What visitors see: \S/);
    expect(message.text).toMatch(/What the agent does: \S/);
  });

  test('good news asks nobody to do anything', () => {
    const { text } = renderMessage(
      [notice({ kind: 'recovered', advice: 'Check DNS.', expiresAt: now + 90 * day })],
      now,
    );
    expect(text).not.toContain('What you can do');
    expect(text).toContain('A trusted certificate, valid until 1 March 2027');
  });
});

test('records that a person has to add stand below their names, ready to paste, with the time there is', () => {
  const record = '_acme-challenge.example.com. 300 IN TXT "value"';
  const wanted = notice({ kind: 'record-wanted', records: [record], until: now + 6 * day });
  const { text, html } = renderMessage([wanted], now);
  expect(text).toContain(`- www.example.com\n  ${record}\n`);
  expect(html).toContain('<br>_acme-challenge.example.com. 300 IN TXT &quot;value&quot;');
  expect(text).toContain('It asks for others if that is not so in 6 days (');
});

test('without names the domain stands for them', () => {
  const { subject, text } = renderMessage([notice({ names: [] })], now);
  expect(subject).toBe('[acme-agent] No new certificate for example.com');
  expect(text).toContain('- example.com\n');
});

test('words of a CA are text in the HTML, never markup', () => {
  const { html } = renderMessage([notice({ message: `got "<script>alert('x')</script>" & more` })], now);
  expect(html).not.toContain('<script>');
  expect(html).toContain('&quot;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot; &amp; more');
});

test('a line break in a name does not break the subject', () => {
  const { subject } = renderMessage([notice({ names: ['a\r\nBcc: x@example.com'] })], now);
  expect(subject).not.toMatch(/[\r\n]/);
});
