import { type ErrorCode, errorTable } from './errors.ts';
import type { Notice, NoticeKind } from './ports.ts';
import { remindersInSeries } from './reminders.ts';
import type { Domain, Event, EventType } from './types.ts';

const kinds: Partial<Record<EventType, NoticeKind>> = {
  'certificate.failed': 'failed',
  'certificate.reminder': 'reminder',
  'certificate.fallback': 'fallback',
  'certificate.recovered': 'recovered',
  'deploy.failed': 'deploy-failed',
  'deploy.recovered': 'deploy-recovered',
};

/** What an event tells people; undefined: it is not for them. A failure is told when the event says `tell`. */
export function noticeOf(event: Event, domain: Domain): Notice | undefined {
  const kind = kinds[event.type];
  const { facts } = event;
  if (kind === undefined || ((kind === 'failed' || kind === 'deploy-failed') && facts.tell !== true))
    return undefined;
  const code = textOf(facts.code);
  return {
    id: event.id,
    kind,
    at: event.at,
    domain: domain.name,
    lineage: event.lineage,
    names: Array.isArray(facts.names) ? facts.names.map(String) : [],
    recipients: domain.contacts,
    message: textOf(facts.message) ?? '',
    advice: code !== undefined && code in errorTable ? errorTable[code as ErrorCode].advice : undefined,
    code,
    issuer: textOf(facts.issuer),
    expiresAt: numberOf(facts.notAfter),
    nextAttemptAt: numberOf(facts.retryAt),
    reminder: typeof facts.number === 'number' ? { number: facts.number, of: remindersInSeries } : undefined,
  };
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}
