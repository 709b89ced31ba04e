import type { Notice, NoticeKind } from '../core/ports.ts';
import type { Instant } from '../core/types.ts';

/** Most urgent first: the order in a message, and what its subject speaks of. */
export const urgency: readonly NoticeKind[] = [
  'store',
  'fallback',
  'reminder',
  'record-wanted',
  'expiring',
  'binding-lapsed',
  'failed',
  'probe-failed',
  'deploy-failed',
  'revocation-late',
  'revoked',
  'advice',
  'record-idle',
  'recovered',
  'deploy-recovered',
  'probe-recovered',
];

/** What a notice is about, for a subject or heading. `who`: the names in short. */
export function headingOf(notice: Notice, who: string): string {
  const target = notice.issuer ?? 'its target';
  switch (notice.kind) {
    case 'failed':
      return `No new certificate for ${who}`;
    case 'reminder':
      return `${reminderOf(notice) ?? 'Reminder'}: no new certificate for ${who}`;
    case 'expiring':
      return `${reminderOf(notice) ?? 'Reminder'}: the uploaded certificate for ${who} wants a successor`;
    case 'binding-lapsed':
      return `What is bound for ${who} is not shown any more`;
    case 'fallback':
      return `Visitors of ${who} get a security warning`;
    case 'recovered':
      return `The certificate for ${who} is in order again`;
    case 'deploy-failed':
      return `The certificate for ${who} did not get to ${target}`;
    case 'deploy-recovered':
      return `The certificate for ${who} is at ${target} again`;
    case 'probe-failed':
      return `Visitors of ${who} are shown something else than was deployed`;
    case 'probe-recovered':
      return `Visitors of ${who} are shown the certificate that was deployed again`;
    case 'revoked':
      return `The certificate for ${who} was revoked by its CA`;
    case 'revocation-late':
      return `The certificate for ${who} is not revoked yet`;
    case 'advice':
      return `The CA wants the certificate for ${who} renewed at another time`;
    case 'record-wanted':
      return `DNS records to add for ${who}`;
    case 'record-idle':
      return `DNS records that may be removed for ${who}`;
    case 'store':
      return 'The agent cannot work: its store is in trouble';
  }
}

/** `Reminder 3 of 30`; those after the series come weekly, and say so. */
export function reminderOf({ reminder }: Notice): string | undefined {
  if (reminder === undefined) return undefined;
  const { number, of } = reminder;
  return of === undefined ? `Weekly reminder (number ${number})` : `Reminder ${number} of ${of}`;
}

/** How often the next ones come, when that changes or has changed. */
export function remindersGoOn({ reminder }: Notice): string | undefined {
  if (reminder === undefined || (reminder.of !== undefined && reminder.number < reminder.of))
    return undefined;
  const before =
    reminder.of === undefined ? 'The daily reminders are over' : 'This is the last daily reminder';
  return `${before}; from now on one comes every week until it is mended.`;
}

/** What those who visit the names see at this moment. */
export function visitorsSee({ kind, expiresAt }: Notice, now: Instant): string {
  const isValid = expiresAt !== undefined && expiresAt > now;
  const warned = 'Their browsers show a security warning';
  switch (kind) {
    case 'fallback':
      return `${warned}: a self-signed certificate is served, for want of a trusted one.`;
    case 'recovered':
      return `A trusted certificate${isValid ? `, valid until ${instant(expiresAt)}` : ''}.`;
    case 'probe-failed':
      return 'What the probe was shown, at the address that it names.';
    case 'deploy-recovered':
    case 'probe-recovered':
      return 'The present certificate.';
    case 'expiring':
      return isValid
        ? `Nothing of it yet: it is valid until ${instant(expiresAt)}.`
        : 'Another certificate for the same names if one is held, else a security warning.';
    case 'binding-lapsed':
      return 'Another certificate for the same name if one is held, else a security warning.';
    case 'revoked':
      return 'A warning, if their browsers look at what the CA revoked, until the new certificate is in place.';
    case 'revocation-late':
      return 'Nothing of it: the certificate that is to be revoked is valid as long as it is not.';
    case 'deploy-failed':
      return 'The certificate that was there before.';
    case 'record-idle':
      return 'Nothing of it.';
    case 'store':
      return 'Nothing of it, as long as the certificates that are deployed are valid.';
    default:
      if (isValid) return `Nothing of it yet: the present certificate is valid until ${instant(expiresAt)}.`;
      return expiresAt === undefined
        ? `${warned}: there is no trusted certificate yet, a self-signed one is served.`
        : `${warned}: the certificate expired on ${instant(expiresAt)}.`;
  }
}

/** What happens without anybody doing anything. */
export function agentDoes({ kind, nextAttemptAt, until }: Notice, now: Instant): string {
  if (isGood(kind)) return 'Goes on as usual: it renews in good time.';
  if (kind === 'record-wanted')
    return `Looks every few minutes, and goes on by itself once all nameservers of the zone show them. It asks for others ${until === undefined ? 'when the CA waits no longer' : `if that is not so ${when(until, now)}`}.`;
  if (kind === 'record-idle') return 'Lists them until the nameservers show them no more.';
  if (kind === 'expiring') return 'Shows it until then; it cannot renew what it did not order.';
  if (kind === 'binding-lapsed') return 'Shows it again as soon as it is valid again.';
  if (kind === 'revoked') return 'Orders a new certificate now; if that fails, another message tells.';
  if (kind === 'advice' && nextAttemptAt !== undefined)
    return nextAttemptAt <= now ? 'Renews it now.' : `Renews it ${when(nextAttemptAt, now)}.`;
  if (kind === 'probe-failed')
    return nextAttemptAt === undefined
      ? 'Looks again.'
      : `Deploys the certificate anew ${nextAttemptAt <= now ? 'now' : when(nextAttemptAt, now)}, looks again, and goes on so until it is right. It tells you then, and not before.`;
  if (nextAttemptAt === undefined) return 'Goes on trying by itself.';
  return nextAttemptAt <= now ? 'Tries again now.' : `Tries again ${when(nextAttemptAt, now)}.`;
}

function isGood(kind: NoticeKind): boolean {
  return kind === 'recovered' || kind === 'deploy-recovered' || kind === 'probe-recovered';
}

/** What the reader should do; undefined: nothing. */
export function personDoes({ kind, advice }: Notice): string | undefined {
  if (isGood(kind)) return undefined;
  if (kind === 'record-wanted') return 'Add them to the zone; several values at one name stand side by side.';
  if (kind === 'record-idle') return 'Remove them: acme-agent dns pending lists them.';
  return advice ?? (kind === 'advice' ? 'Read what the CA says there.' : undefined);
}

/** `www.example.com`, `a.example and b.example`, `a.example and 3 more`. */
export function inShort(names: readonly string[]): string {
  const [first = 'this agent', second, ...others] = names;
  if (second === undefined) return first;
  return others.length === 0 ? `${first} and ${second}` : `${first} and ${names.length - 1} more`;
}

/** `in 3 days (4 December 2026, 10:00 UTC)`. */
function when(at: Instant, now: Instant): string {
  const minutes = Math.max(1, Math.round((at - now) / 60_000));
  const [amount, unit] =
    minutes < 90
      ? [minutes, 'minute']
      : minutes < 2880
        ? [Math.round(minutes / 60), 'hour']
        : [Math.round(minutes / 1440), 'day'];
  return `in ${amount} ${unit}${amount === 1 ? '' : 's'} (${instant(at)})`;
}

function instant(at: Instant): string {
  const parts = { dateStyle: 'long', timeStyle: 'short', timeZone: 'UTC', hourCycle: 'h23' } as const;
  return `${new Intl.DateTimeFormat('en-GB', parts).format(at).replace(' at ', ', ')} UTC`;
}
