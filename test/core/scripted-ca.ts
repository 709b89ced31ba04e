import { X509Certificate } from 'node:crypto';
import { AgentError, codeOfProblem } from '../../src/core/errors.ts';
import { sameNames } from '../../src/core/names.ts';
import type {
  AcmeAuthorization,
  AcmeChallenge,
  AcmeOrder,
  AcmeSession,
  NewOrder,
  Problem,
  RenewalInfo,
  RevocationRequest,
} from '../../src/core/ports.ts';
import type { ChallengeType, Instant, RevocationReason } from '../../src/core/types.ts';
import { createCaSigner, readRequest } from './ca-signer.ts';
import { day } from './given.ts';
import type { VirtualClock } from './virtual-clock.ts';

/** How a CA behaves; a test changes it as it likes. */
export interface CaWays {
  profiles: readonly string[];
  hasRenewalInfo: boolean;
  challengeTypes: readonly ChallengeType[];
  lifetimeMs: number;
  /** From the response to the verdict on a challenge. */
  validationMs: number;
  /** From finalize to the certificate. */
  processingMs: number;
  /** Retry-After of every order it shows. */
  retryAfterMs: number | undefined;
  /** Its advice on a certificate; undefined: none. */
  advice: (certId: string) => RenewalInfo | undefined;
  /** Its verdict on a name; undefined: it looks for the answer itself. */
  verdict: (name: string) => Problem | undefined;
  /** Of the account key, where one speaks to it over the wire. */
  thumbprint: string;
  /** An order that is not finalized by then is shown as invalid, or not at all. */
  orderLife: { readonly ms: number; readonly end: 'invalid' | 'gone' } | undefined;
}

export interface CaOrder {
  readonly url: string;
  readonly createdAt: Instant;
  readonly asked: NewOrder;
  readonly authorizations: readonly CaAuthorization[];
  error?: Problem;
  csrDer?: Uint8Array;
  validAt?: Instant;
  pem?: string;
}

interface CaAuthorization {
  readonly url: string;
  readonly name: string;
  status: 'pending' | 'valid' | 'invalid';
  readonly challenges: (AcmeChallenge & { status: AcmeChallenge['status']; error?: Problem })[];
}

export interface ScriptedCa {
  readonly ways: CaWays;
  readonly orders: readonly CaOrder[];
  /** Orders that were finalized. */
  finalized(): readonly CaOrder[];
  statusOf(order: CaOrder): AcmeOrder['status'];
  /** When it was asked for its advice. */
  readonly consulted: readonly Instant[];
  /** What it revoked. */
  readonly revocations: readonly {
    readonly serial: string;
    readonly reason: RevocationReason;
    readonly at: Instant;
  }[];
  revoke(request: RevocationRequest): void;
  renewalInfo(certId: string): RenewalInfo | undefined;
  readonly session: AcmeSession;
}

export interface CaNeeds {
  readonly clock: VirtualClock;
  /** What the world shows for a challenge; a fetch of it is seen by whoever answers. */
  readonly look: (type: ChallengeType, token: string) => Promise<string | undefined>;
  readonly track: <T>(work: Promise<T>) => Promise<T>;
}

/** A CA in memory with the states of RFC 8555 §7.1.6, which signs real certificates. */
export function createScriptedCa(issuer: string, { clock, look, track }: CaNeeds): ScriptedCa {
  const start = clock.trueNow();
  const signer = createCaSigner(issuer, { notBefore: start - 365 * day, notAfter: start + 9000 * day });
  const orders: CaOrder[] = [];
  const consulted: Instant[] = [];
  const revocations: ScriptedCa['revocations'][number][] = [];
  const ways: CaWays = {
    profiles: [],
    hasRenewalInfo: true,
    challengeTypes: ['http-01', 'dns-01'],
    lifetimeMs: 90 * day,
    validationMs: 40,
    processingMs: 0,
    retryAfterMs: undefined,
    advice: () => undefined,
    verdict: () => undefined,
    thumbprint: issuer,
    orderLife: undefined,
  };

  function statusOf(order: CaOrder): AcmeOrder['status'] {
    if (order.authorizations.some(({ status }) => status === 'invalid')) return 'invalid';
    if (hasExpired(order)) return 'invalid';
    if (order.authorizations.some(({ status }) => status === 'pending')) return 'pending';
    if (order.validAt === undefined) return 'ready';
    return clock.trueNow() < order.validAt ? 'processing' : 'valid';
  }

  function hasExpired({ createdAt, csrDer }: CaOrder): boolean {
    return csrDer === undefined && clock.trueNow() > createdAt + (ways.orderLife?.ms ?? 7 * day);
  }

  function show(order: CaOrder): AcmeOrder {
    const status = statusOf(order);
    return {
      url: order.url,
      status,
      expires: order.createdAt + (ways.orderLife?.ms ?? 7 * day),
      identifiers: order.asked.names.map((value) => ({ type: 'dns', value })),
      authorizations: order.authorizations.map(({ url }) => url),
      finalize: `${order.url}/finalize`,
      certificate: status === 'valid' ? `${order.url}/certificate` : undefined,
      error: order.error,
      retryAfterMs: ways.retryAfterMs,
    };
  }

  function find(url: string): CaOrder {
    const order = orders.find((one) => one.url === url);
    if (order !== undefined && !(ways.orderLife?.end === 'gone' && hasExpired(order))) return order;
    return refuse({ type: 'malformed', detail: `no order ${url}` }, 404);
  }

  function newOrder(asked: NewOrder): AcmeOrder {
    if (asked.profile !== undefined && !ways.profiles.includes(asked.profile))
      refuse({ type: 'invalidProfile', detail: `no profile ${asked.profile}` });
    const { replaces } = asked;
    const isTaken = orders.some((one) => one.asked.replaces === replaces && statusOf(one) !== 'invalid');
    if (replaces !== undefined && isTaken)
      refuse({ type: 'alreadyReplaced', detail: 'another order replaces that certificate' }, 409);
    const url = `https://${issuer}.test/order/${orders.length + 1}`;
    const authorizations = asked.names.map((name, index) => newAuthorization(name, `${url}/${index + 1}`));
    const order: CaOrder = { url, createdAt: clock.trueNow(), asked, authorizations };
    orders.push(order);
    return show(order);
  }

  function newAuthorization(name: string, url: string): CaAuthorization {
    const token = Buffer.from(url).toString('base64url');
    const challenges = ways.challengeTypes.map((type) => ({
      type,
      url: `${url}/${type}`,
      status: 'pending' as const,
      token,
    }));
    return { url, name, status: 'pending', challenges };
  }

  function authorization(url: string): AcmeAuthorization {
    const order = orders.find((one) => one.authorizations.some((part) => part.url === url));
    const found = order?.authorizations.find((one) => one.url === url);
    if (order === undefined || found === undefined)
      return refuse({ type: 'malformed', detail: `no authorization ${url}` }, 404);
    const { name, challenges } = found;
    const status = hasExpired(order) ? 'expired' : found.status;
    const wildcard = name.startsWith('*.');
    const identifier = { type: 'dns' as const, value: wildcard ? name.slice(2) : name };
    return { url, status, identifier, wildcard, challenges: challenges.map((one) => ({ ...one })) };
  }

  function respond(challengeUrl: string): void {
    const all = orders.flatMap((order) => order.authorizations);
    for (const one of all)
      for (const challenge of one.challenges)
        if (challenge.url === challengeUrl && challenge.status === 'pending') {
          challenge.status = 'processing';
          clock.outside(ways.validationMs, () => void track(validate(one, challenge)));
        }
  }

  async function validate(
    of: CaAuthorization,
    challenge: CaAuthorization['challenges'][number],
  ): Promise<void> {
    const seen = await look(challenge.type, challenge.token);
    const wrong = { type: 'unauthorized', detail: `${of.name} answered ${seen ?? 'nothing'}` };
    const problem = ways.verdict(of.name) ?? (seen === keyAuthorization(challenge.token) ? undefined : wrong);
    challenge.status = problem === undefined ? 'valid' : 'invalid';
    if (problem !== undefined) challenge.error = problem;
    of.status = challenge.status;
  }

  function finalize({ url }: AcmeOrder, csrDer: Uint8Array): AcmeOrder {
    const order = find(url);
    const status = statusOf(order);
    if (status !== 'ready') refuse({ type: 'orderNotReady', detail: `the order is ${status}` }, 403);
    if (!sameNames(readRequest(csrDer).names, order.asked.names))
      refuse({ type: 'badCSR', detail: 'other names than ordered' });
    const now = clock.trueNow();
    order.csrDer = csrDer;
    order.validAt = now + ways.processingMs;
    order.pem = signer.issue(csrDer, { notBefore: now - 3_600_000, notAfter: now + ways.lifetimeMs });
    return show(order);
  }

  function certificate({ url }: AcmeOrder): string {
    const order = find(url);
    return statusOf(order) === 'valid' && order.pem !== undefined
      ? order.pem
      : refuse({ type: 'malformed', detail: 'there is no certificate yet' }, 404);
  }

  function keyAuthorization(token: string): string {
    return `${token}.${ways.thumbprint}`;
  }

  const session: AcmeSession = {
    issuer,
    accountUrl: `https://${issuer}.test/account/1`,
    get profiles() {
      return ways.profiles;
    },
    get hasRenewalInfo() {
      return ways.hasRenewalInfo;
    },
    caaIdentities: [`${issuer}.test`],
    keyAuthorization,
    newOrder: async (order) => newOrder(order),
    order: async (url) => show(find(url)),
    authorization: async (url) => authorization(url),
    respond: async (url) => respond(url),
    finalize: async (order, csrDer) => finalize(order, csrDer),
    certificate: async (order) => certificate(order),
  };

  function revoke({ leafDer, reason }: RevocationRequest): void {
    const serial = new X509Certificate(leafDer).serialNumber.toLowerCase();
    const isKnown = revocations.some((one) => one.serial === serial);
    if (!isKnown) revocations.push({ serial, reason, at: clock.trueNow() });
  }

  return {
    ways,
    orders,
    finalized: () => orders.filter(({ csrDer }) => csrDer !== undefined),
    statusOf,
    consulted,
    revocations,
    revoke,
    renewalInfo: (certId) => {
      consulted.push(clock.trueNow());
      return ways.advice(certId);
    },
    session,
  };
}

function refuse(problem: Problem, status = 400): never {
  throw problemError(problem, status);
}

/** As the transport makes it of a problem document. */
export function problemError(problem: Problem, status = 400, retryAt?: Instant): AgentError {
  const code = codeOfProblem(problem.type);
  return new AgentError(code, problem.detail ?? problem.type, { retryAt, facts: { status, problem } });
}
