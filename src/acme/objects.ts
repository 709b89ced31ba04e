import { answeredChallenges, experimentalChallenges } from '../core/challenges.ts';
import { AgentError } from '../core/errors.ts';
import type { AcmeAuthorization, AcmeChallenge, AcmeOrder, OrderStatus } from '../core/ports.ts';
import type { ChallengeType } from '../core/types.ts';
import { instantOf, isRecord } from './document.ts';
import { readIdentifier, readProblem } from './problem.ts';

/** CA documents as our types. What we need and do not find is `acme.response`; what we do not know is left out. */

const orderStatuses: readonly OrderStatus[] = ['pending', 'ready', 'processing', 'valid', 'invalid'];
const authorizationStatuses: readonly AcmeAuthorization['status'][] = [
  'pending',
  'valid',
  'invalid',
  'deactivated',
  'expired',
  'revoked',
];
const challengeStatuses: readonly AcmeChallenge['status'][] = ['pending', 'processing', 'valid', 'invalid'];
const challengeTypes: readonly ChallengeType[] = [...answeredChallenges, ...experimentalChallenges];

export function readOrder(value: unknown, url: string, retryAfterMs: number | undefined): AcmeOrder {
  const document = record(value, url, 'order');
  const status = orderStatuses.find((one) => one === document.status);
  if (status === undefined) throw faulty(url, 'order', 'status');
  if (typeof document.finalize !== 'string') throw faulty(url, 'order', 'finalize URL');
  const authorizations = strings(document.authorizations);
  if (authorizations === undefined) throw faulty(url, 'order', 'list of authorizations');
  if (!Array.isArray(document.identifiers)) throw faulty(url, 'order', 'list of identifiers');
  return {
    url,
    status,
    expires: instantOf(document.expires),
    identifiers: document.identifiers.map(readIdentifier).filter((one) => one !== undefined),
    authorizations,
    finalize: document.finalize,
    certificate: typeof document.certificate === 'string' ? document.certificate : undefined,
    error: readProblem(document.error),
    retryAfterMs,
  };
}

export function readAuthorization(value: unknown, url: string): AcmeAuthorization {
  const document = record(value, url, 'authorization');
  const status = authorizationStatuses.find((one) => one === document.status);
  if (status === undefined) throw faulty(url, 'authorization', 'status');
  const identifier = readIdentifier(document.identifier);
  if (identifier === undefined) throw faulty(url, 'authorization', 'identifier');
  return {
    url,
    status,
    identifier,
    wildcard: document.wildcard === true,
    expires: instantOf(document.expires),
    challenges: (Array.isArray(document.challenges) ? document.challenges : []).flatMap(readChallenge),
  };
}

/** Nothing for a type that we do not know or that lacks what it needs (a token: RFC 8555 §8.3): CAs add new ones at any time. */
function readChallenge(value: unknown): readonly AcmeChallenge[] {
  if (!isRecord(value)) return [];
  const type = challengeTypes.find((one) => one === value.type);
  const status = challengeStatuses.find((one) => one === value.status);
  const { url } = value;
  if (!type || !status || typeof url !== 'string') return [];
  const challenge = { type, url, status, token: '', error: readProblem(value.error) };
  if (type === 'dns-persist-01') {
    const issuerDomains = strings(value['issuer-domain-names']) ?? [];
    return issuerDomains.length === 0 ? [] : [{ ...challenge, issuerDomains }];
  }
  const { token } = value;
  return typeof token === 'string' && /^[\w-]+$/.test(token) ? [{ ...challenge, token }] : [];
}

function record(value: unknown, url: string, what: string): Readonly<Record<string, unknown>> {
  if (isRecord(value)) return value;
  throw new AgentError('acme.response', `${url} did not answer with a JSON object, as an ${what} is`, {
    facts: { url },
  });
}

function faulty(url: string, what: string, part: string): AgentError {
  return new AgentError('acme.response', `the ${what} ${url} has no valid ${part}`, { facts: { url } });
}

function strings(value: unknown): readonly string[] | undefined {
  const isList = Array.isArray(value) && value.every((one): one is string => typeof one === 'string');
  return isList ? value : undefined;
}
