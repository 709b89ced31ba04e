import { remindersInSeries } from '../core/notice/reminders.ts';
import type { Instant } from '../core/types.ts';
import type { ShownFacts, TargetView } from './targets.ts';
import type { WhyCertificate } from './why.ts';
import { counted, relative, sentence, when } from './words.ts';

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
    headline(host, facts, now),
    isStandIn(facts)
      ? `It stands in for certificate ${facts.lineage}, which is not served anywhere.`
      : `Certificate ${facts.lineage}.`,
    ...(isBehind ? [`To be served: ${described(wanted, now)}.`] : []),
    ...targets.flatMap((one) => atTarget(one, now)),
    ...revocations(facts, now),
    ...trouble(facts, now),
    ...lastError(facts, now),
    ...warnings(facts, now),
    ...without(facts, now),
    ...limits(facts, now),
    ...advice(facts, now),
    next(facts, now),
    ...reminders(facts, now),
  ];
}

/** Whether the fallback is all that visitors get, as far as it was seen. */
function isStandIn({ wanted, targets }: WhyCertificate): boolean {
  if (targets.length === 0) return wanted?.source === 'self-signed';
  return targets.every(({ source }) => source === 'self-signed');
}

/** What visitors get, as far as it was seen. */
function headline(host: string, { wanted, targets }: WhyCertificate, now: Instant): string {
  const [first] = targets;
  if (first === undefined)
    return wanted === undefined
      ? `${host} has no certificate yet; its domain has no deploy target that would show one.`
      : `${host} has ${described(wanted, now)}; its domain has no deploy target, so it stays in the store.`;
  const sights = new Set(targets.map(({ seen, source }) => seen?.fingerprint ?? source));
  if (sights.size > 1) return `${host} is not served the same everywhere; this is what its targets show.`;
  if (first.shows === 'nothing')
    return `${host} is served nothing yet, not even the self-signed fallback: no deploy target was seen to show one.`;
  return `${host} is served ${seenWords(first, now)}.`;
}

function seenWords({ seen, source }: TargetView, now: Instant): string {
  if (seen !== undefined) return described(seen, now);
  return source === 'self-signed' ? selfSigned : 'an earlier certificate, which is no longer held here';
}

const selfSigned = 'the self-signed fallback, which browsers warn of';

function described({ source, issuer, issuerName, notAfter }: ShownFacts, now: Instant): string {
  const expiry = `${notAfter > now ? 'valid until' : 'EXPIRED since'} ${when(notAfter, now)}`;
  switch (source) {
    case 'self-signed':
      return `${selfSigned}, ${expiry}`;
    case 'upload':
      return `an uploaded certificate of ${issuerName}, ${expiry}`;
    case 'acme':
      return `a certificate of ${issuer ?? 'a former issuer'} (${issuerName}), ${expiry}`;
  }
}

function atTarget(view: TargetView, now: Instant): readonly string[] {
  const { target, failures, lastError: error, nextAt } = view;
  const head = `At ${target}: ${sight(view, now)}.`;
  if (view.shows === 'same' && failures === 0) return [head];
  const fault =
    error === undefined
      ? []
      : [
          `  ${counted(failures, 'deployment')} failed, the last ${relative(error.at, now)}: ${sentence(error.message)}`,
          ...(error.advice === undefined ? [] : [`  What to do: ${error.advice}`]),
        ];
  const again = nextAt === undefined ? 'none is planned' : soonOrAt(nextAt, now);
  return [head, ...fault, `  Next deployment: ${again}.`];
}

function sight(view: TargetView, now: Instant): string {
  const { shows, seenAt, lastError: error } = view;
  if (seenAt === undefined)
    return error?.code === 'deploy.reload' ? reloadFailed : 'nothing was seen there yet';
  const at = relative(seenAt, now);
  if (shows === 'same') return `in place, last seen ${at}`;
  return error?.code === 'deploy.reload'
    ? `${reloadFailed}; seen before, ${at}: ${former(view, now)}`
    : `still ${former(view, now)}, last seen ${at}`;
}

const reloadFailed = 'the new one lies there, but the reload failed';

function former({ source, seen }: TargetView, now: Instant): string {
  if (source === 'self-signed') return 'the self-signed fallback';
  return seen === undefined || seen.notAfter > now ? 'an earlier one' : 'an EXPIRED one';
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

/** Names that it does not cover, each on a ladder of its own. */
function without({ leftOut }: WhyCertificate, now: Instant): readonly string[] {
  return leftOut.flatMap(({ name, failures, since, retryAt, failure }) => [
    `Without ${name} since ${when(since, now)}, refused ${counted(failures, 'time')}: ${sentence(failure.message)}`,
    `  It is tried again ${soonOrAt(retryAt, now)}.`,
  ]);
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
  { nextAt, renewAt, failures, order, wanted, unwantedSince }: WhyCertificate,
  now: Instant,
): string {
  if (nextAt === undefined)
    return unwantedSince === undefined
      ? 'Next: nothing is planned.'
      : 'Next: nothing; it is no longer renewed.';
  const at = soonOrAt(nextAt, now);
  if (order !== undefined) return `Next: the order goes on ${at}.`;
  if (failures > 0) return `Next: attempt ${failures + 1} ${at}.`;
  if (wanted?.source !== 'acme') return `Next: an order ${at}.`;
  return nextAt === renewAt || nextAt <= now ? `Next: renewal ${at}.` : `Next: a look at it ${at}.`;
}

function soonOrAt(at: Instant, now: Instant): string {
  return at <= now ? 'as soon as a worker is free' : `at ${when(at, now)}`;
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
