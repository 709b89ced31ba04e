import { type ErrorCode, errorTable } from '../errors.ts';
import type { Notice, NoticeKind } from '../ports.ts';
import type { Domain, Event, EventType } from '../types.ts';
import { numbered } from './reminders.ts';

const kinds: Partial<Record<EventType, NoticeKind>> = {
  'certificate.revoked': 'revoked',
  'revocation.late': 'revocation-late',
  'certificate.failed': 'failed',
  'certificate.reminder': 'reminder',
  'certificate.expiring': 'expiring',
  'binding.lapsed': 'binding-lapsed',
  'certificate.fallback': 'fallback',
  'certificate.recovered': 'recovered',
  'certificate.window': 'advice',
  'record.wanted': 'record-wanted',
  'record.idle': 'record-idle',
  'deploy.failed': 'deploy-failed',
  'deploy.recovered': 'deploy-recovered',
  'probe.failed': 'probe-failed',
  'probe.recovered': 'probe-recovered',
};

/** Told when the event says `tell`: people hear once of each, and not of what they asked for. */
const toldOnlyThen: ReadonlySet<NoticeKind> = new Set(['failed', 'deploy-failed', 'revoked', 'advice']);

/** What an event tells people; undefined: it is not for them. */
export function noticeOf(event: Event, domain: Domain): Notice | undefined {
  const kind = kinds[event.type];
  const { facts } = event;
  if (kind === undefined || (toldOnlyThen.has(kind) && facts.tell !== true)) return undefined;
  const code = textOf(facts.code);
  return {
    id: event.id,
    kind,
    at: event.at,
    domain: domain.name,
    lineage: event.lineage,
    names: textsOf(facts.names) ?? [],
    recipients: domain.contacts,
    message: textOf(facts.message) ?? '',
    advice: textOf(facts.advice) ?? (code === undefined ? undefined : usualAdvice(code)),
    code,
    issuer: textOf(facts.issuer),
    expiresAt: numberOf(facts.notAfter),
    nextAttemptAt: numberOf(facts.retryAt),
    records: textsOf(facts.records),
    until: numberOf(facts.until),
    reminder: typeof facts.number === 'number' ? numbered(facts.number) : undefined,
  };
}

function usualAdvice(code: string): string | undefined {
  return code in errorTable ? errorTable[code as ErrorCode].advice : undefined;
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function textsOf(value: unknown): readonly string[] | undefined {
  return Array.isArray(value) ? value.map(String) : undefined;
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}
