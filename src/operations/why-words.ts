import { remindersInSeries } from '../core/notice/reminders.ts';
import { txtLine } from '../core/order/by-hand.ts';
import type { Instant } from '../core/types.ts';
import type { WhyCertificate } from './why.ts';
import { notOnIt, subjectOf, without } from './why-left-out.ts';
import { atTarget, described, headline, isStandIn } from './why-sight.ts';
import { counted, relative, sentence, soonOrAt, when } from './words.ts';

/** One screen of plain words about what is served for a host. Pure. */
export function explain(
  host: string,
  certificates: readonly WhyCertificate[],
  now: Instant,
): readonly string[] {
  return certificates.flatMap((one, index) => [...(index === 0 ? [] : ['']), ...about(host, one, now)]);
}

function about(host: string, facts: WhyCertificate, now: Instant): readonly string[] {
  const { wanted, targets } = facts;
  const isBehind = wanted !== undefined && targets.some(({ shows }) => shows !== 'same');
  return [
    ...notOnIt(host, facts, now),
    headline(subjectOf(host, facts), facts, now),
    whose(facts),
    ...(isBehind ? [`To be served: ${described(wanted, now)}.`] : []),
    ...targets.flatMap((one) => atTarget(one, now)),
    ...revocations(facts, now),
    ...trouble(facts, now),
    ...lastError(facts, now),
    ...warnings(facts, now),
    ...recordsToAdd(facts, now),
    ...without(host, facts, now),
    ...limits(facts, now),
    ...advice(facts, now),
    next(facts, now),
    ...reminders(facts, now),
  ];
}

/** Of which certificate the words are, and why another one is shown in its place. */
function whose(facts: WhyCertificate): string {
  const { lineage, wanted, rank } = facts;
  if (isStandIn(facts)) return `It stands in for certificate ${lineage}, which is not served anywhere.`;
  if (wanted === undefined || wanted.source === 'self-signed' || wanted.lineage === lineage)
    return `Certificate ${lineage}.`;
  const why =
    rank === 'binding'
      ? 'it is bound'
      : wanted.source === 'upload'
        ? 'it was uploaded'
        : 'it covers the name too';
  return `Certificate ${wanted.lineage}: ${why}, and comes first in the place of ${lineage}.`;
}

/** Why it is not a trusted certificate with time left. */
function trouble(facts: WhyCertificate, now: Instant): readonly string[] {
  const { wanted, failures, failingSince, order, unwantedSince } = facts;
  if (unwantedSince !== undefined)
    return [
      `Nobody has asked for it since ${when(unwantedSince, now)}: it is kept, and renewed no more after 7 days.`,
    ];
  const isTrusted = wanted !== undefined && wanted.source !== 'self-signed' && wanted.notAfter > now;
  if (failures > 0) {
    const since = failingSince === undefined ? '' : ` since ${when(failingSince, now)}`;
    const attempts = `${counted(failures, 'attempt')} failed${since}`;
    return [
      isTrusted
        ? `Its renewal is in trouble: ${attempts}. The certificate held is served until it expires.`
        : `There is no trusted one: ${attempts}.`,
    ];
  }
  if (facts.source === 'upload')
    return isTrusted
      ? []
      : [`It is not valid any more: upload its successor with --replace ${facts.lineage}.`];
  if (failingSince !== undefined)
    return [
      isTrusted
        ? `Its renewal has not got through since ${when(failingSince, now)}. The certificate held is served until it expires.`
        : `There is no trusted one: orders have not got through since ${when(failingSince, now)}.`,
    ];
  if (order !== undefined)
    return [`An order is under way at ${order.issuer}, begun ${relative(order.startedAt, now)}.`];
  return isTrusted ? [] : ['There is no trusted one yet, and no order has failed.'];
}

function revocations({ revokedAt, revoking = [] }: WhyCertificate, now: Instant): readonly string[] {
  const done =
    revokedAt === undefined
      ? []
      : [`Its CA revoked it ${relative(revokedAt, now)}: a new one takes its place.`];
  const open = revoking.map(({ serial, reason, requestedAt, lastFailure }) => {
    const fault = lastFailure === undefined ? '' : ` The CA refused: ${sentence(lastFailure.message)}`;
    return `${serial} is to be revoked (${reason}), asked for ${relative(requestedAt, now)}.${fault}`;
  });
  return [...done, ...open];
}

function lastError({ lastError: error }: WhyCertificate, now: Instant): readonly string[] {
  if (error === undefined) return [];
  const at = error.issuer === undefined ? '' : ` at ${error.issuer}`;
  const names = Object.entries(error.names ?? {})
    .filter(([, text]) => !error.message.includes(text))
    .map(([name, text]) => `  ${name}: ${sentence(text)}`);
  return [
    `Last error, ${relative(error.at, now)}${at}: ${sentence(error.message)}`,
    ...names,
    ...(error.advice === undefined ? [] : [`What to do: ${error.advice}`]),
  ];
}

/** For a person; the order goes on by itself. */
function recordsToAdd({ order, lineage }: WhyCertificate, now: Instant): readonly string[] {
  const records = order?.byHand ?? [];
  if (records.length === 0) return [];
  const until = Math.min(...records.map((one) => one.until));
  return [
    `A person has to add to the DNS, before ${when(until, now)}:`,
    ...records.map((record) => `  ${txtLine(record)}`),
    `The order goes on by itself once all nameservers show that; at once with: acme-agent retry ${lineage}`,
  ];
}

/** What a CA does not let through now. */
function limits({ lineage, waiting, paused }: WhyCertificate, now: Instant): readonly string[] {
  const room =
    waiting === undefined
      ? []
      : [`Its order waits for room at ${waiting.issuer}: ${sentence(waiting.limit)}`];
  return [
    ...room,
    ...paused.flatMap(({ issuer, since, retryAt, message }) => [
      `${issuer} has paused it since ${when(since, now)}: ${sentence(message)}`,
      `  Once a person has ended that: acme-agent retry ${lineage}. Otherwise ${issuer} is asked again ${soonOrAt(retryAt, now)}.`,
    ]),
  ];
}

/** They explain a failure, or an order that takes long. */
function warnings({ warnings: seen = [], failures, order }: WhyCertificate, now: Instant): readonly string[] {
  if (failures === 0 && order === undefined) return [];
  return seen.map(
    ({ at, message }) => `Seen before the last order, ${relative(at, now)}: ${sentence(message)}`,
  );
}

/** RFC 9773: when the CA would have it renewed. */
function advice({ window, unwantedSince }: WhyCertificate, now: Instant): readonly string[] {
  if (window === undefined || unwantedSince !== undefined) return [];
  const reason = window.explanationUrl === undefined ? '' : `; its reason: ${window.explanationUrl}`;
  return [
    `The CA advises to renew it between ${when(window.start, now)} and ${when(window.end, now)}${reason}.`,
  ];
}

function next(
  { nextAt, renewAt, failures, order, wanted, unwantedSince, source, lineage }: WhyCertificate,
  now: Instant,
): string {
  if (source === 'upload')
    return `Next: nothing by itself; a person uploads its successor with --replace ${lineage}.`;
  if (nextAt === undefined)
    return unwantedSince === undefined
      ? 'Next: nothing is planned.'
      : 'Next: nothing; it is no longer renewed.';
  const at = soonOrAt(nextAt, now);
  if (order !== undefined) return `Next: the order goes on ${at}.`;
  if (failures > 0) return `Next: attempt ${failures + 1} ${at}.`;
  if (wanted === undefined || wanted.source === 'self-signed') return `Next: an order ${at}.`;
  return nextAt === renewAt || nextAt <= now ? `Next: renewal ${at}.` : `Next: a look at it ${at}.`;
}

function reminders({ reminders: series }: WhyCertificate, now: Instant): readonly string[] {
  const { count, lastAt, nextAt, silencedUntil } = series;
  const last = lastAt === undefined ? '' : `, the last ${relative(lastAt, now)}`;
  const sent =
    count === 0
      ? 'none sent yet'
      : count <= remindersInSeries
        ? `${count} of ${remindersInSeries} sent${last}`
        : `${count} sent${last}, weekly since number ${remindersInSeries}`;
  const following =
    nextAt === undefined ? '' : `; the ${count === 0 ? 'first' : 'next'} ${soonOrAt(nextAt, now)}`;
  const isSilent = silencedUntil !== undefined && silencedUntil > now;
  return [
    ...(count === 0 && nextAt === undefined ? [] : [`Reminders: ${sent}${following}.`]),
    ...(isSilent ? [`Reminders are silent until ${when(silencedUntil, now)}.`] : []),
  ];
}
