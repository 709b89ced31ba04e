import type { Instant } from '../core/types.ts';
import { likelyDomain } from './refusals.ts';
import type { WhyCertificate, WhyTarget, WhyUnknown } from './why.ts';
import { counted, relative, sentence, when } from './words.ts';

/** One screen of plain words about what is served for a host. Pure. */
export function explain(
  host: string,
  certificates: readonly WhyCertificate[],
  now: Instant,
): readonly string[] {
  return certificates.flatMap((one, index) => [...(index === 0 ? [] : ['']), ...about(host, one, now)]);
}

export function explainUnknown(host: string, { reason, domain, nearest }: WhyUnknown): readonly string[] {
  const near = nearest === undefined ? [] : [`Nearest that is known: ${nearest}.`];
  switch (reason) {
    case 'no-domain': {
      const missing = likelyDomain(host);
      return [
        `Nothing is served for ${host}: it lies under no domain that is configured.`,
        ...near,
        `To add it: acme-agent domains add ${missing} --hosts ${host}`,
      ];
    }
    case 'no-host':
      return [
        `Nothing is served for ${host}: ${domain} is configured, but it has no such host.`,
        ...near,
        `To add it: acme-agent hosts add ${host}`,
      ];
    case 'disabled':
      return [
        `Nothing is served for ${host}: ${domain} left the configuration file and is disabled.`,
        `To serve it again: put the domain back into the file, or acme-agent domains add ${domain} --hosts ${host}`,
      ];
    case 'custom':
      return [
        `Nothing is served for ${host}: ${domain} makes no certificates by itself (mode custom).`,
        `To have one: acme-agent issue ${host}`,
      ];
  }
}

function about(host: string, facts: WhyCertificate, now: Instant): readonly string[] {
  return [
    headline(host, facts, now),
    `Certificate ${facts.lineage}.`,
    ...targets(facts.targets, now),
    ...trouble(facts, now),
    ...lastError(facts, now),
    next(facts, now),
    ...reminders(facts, now),
  ];
}

function headline(host: string, { served }: WhyCertificate, now: Instant): string {
  if (served === undefined) return `${host} has no certificate yet, not even a self-signed one.`;
  const expiry = `${served.notAfter > now ? 'valid until' : 'EXPIRED since'} ${when(served.notAfter, now)}`;
  switch (served.source) {
    case 'self-signed':
      return `${host} is served a self-signed certificate, which browsers warn of, ${expiry}.`;
    case 'upload':
      return `${host} is served an uploaded certificate of ${served.issuerName}, ${expiry}.`;
    case 'acme':
      return `${host} is served a certificate of ${served.issuer ?? 'a former issuer'} (${served.issuerName}), ${expiry}.`;
  }
}

function targets(list: readonly WhyTarget[], now: Instant): readonly string[] {
  if (list.length === 0) return ['Its domain has no deploy target: the certificate stays in the store.'];
  return list.map((one) => `At ${one.target}: ${sight(one, now)}`);
}

function sight({ shows, seenAt, source, lastError, retryAt }: WhyTarget, now: Instant): string {
  const seen = seenAt === undefined ? '' : `, last seen ${relative(seenAt, now)}`;
  const fault = lastError === undefined ? '' : ` ${sentence(lastError.message)}`;
  const again = retryAt === undefined ? '' : ` Next try at ${when(retryAt, now)}.`;
  if (shows === 'same') return `it is in place${seen}.${fault}${again}`;
  if (shows === 'nothing') return `nothing was put there yet.${fault}${again}`;
  const what = source === 'self-signed' ? 'still the self-signed one' : 'another certificate';
  return `${what}${seen}.${fault}${again}`;
}

/** Why it is not a trusted certificate with time left. */
function trouble(facts: WhyCertificate, now: Instant): readonly string[] {
  const { served, failures, failingSince, order, unwantedSince } = facts;
  if (unwantedSince !== undefined)
    return [
      `Nobody has asked for it since ${when(unwantedSince, now)}: it is kept, and renewed no more after 7 days.`,
    ];
  const isTrusted = served !== undefined && served.source !== 'self-signed' && served.notAfter > now;
  if (failures > 0) {
    const since = failingSince === undefined ? '' : ` since ${when(failingSince, now)}`;
    const attempts = `${counted(failures, 'attempt')} failed${since}`;
    return [
      isTrusted
        ? `Its renewal is in trouble: ${attempts}. The certificate is served until it expires.`
        : `There is no trusted one: ${attempts}.`,
    ];
  }
  if (order !== undefined)
    return [`An order is under way at ${order.issuer}, begun ${relative(order.startedAt, now)}.`];
  return isTrusted ? [] : ['There is no trusted one: none was ordered yet.'];
}

function lastError({ lastError: error }: WhyCertificate, now: Instant): readonly string[] {
  if (error === undefined) return [];
  const at = error.issuer === undefined ? '' : ` at ${error.issuer}`;
  const names = Object.entries(error.names ?? {}).map(([name, text]) => `  ${name}: ${sentence(text)}`);
  return [
    `Last error, ${relative(error.at, now)}${at}: ${sentence(error.message)}`,
    ...names,
    ...(error.advice === undefined ? [] : [`What to do: ${error.advice}`]),
  ];
}

function next(
  { nextAt, renewAt, failures, order, served, unwantedSince }: WhyCertificate,
  now: Instant,
): string {
  if (nextAt === undefined)
    return unwantedSince === undefined
      ? 'Next: nothing is planned.'
      : 'Next: nothing; it is no longer renewed.';
  const at = nextAt <= now ? 'as soon as a worker is free' : `at ${when(nextAt, now)}`;
  if (order !== undefined) return `Next: the order goes on ${at}.`;
  if (failures > 0) return `Next: attempt ${failures + 1} ${at}.`;
  if (served?.source !== 'acme') return `Next: the first order ${at}.`;
  return nextAt === renewAt || nextAt <= now ? `Next: renewal ${at}.` : `Next: a look at it ${at}.`;
}

function reminders({ reminders: { count, silencedUntil } }: WhyCertificate, now: Instant): readonly string[] {
  const sent = count === 0 ? [] : [`${counted(count, 'reminder')} sent so far.`];
  const isSilent = silencedUntil !== undefined && silencedUntil > now;
  return isSilent ? [...sent, `Reminders are silent until ${when(silencedUntil, now)}.`] : sent;
}
