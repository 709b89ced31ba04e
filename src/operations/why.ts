import { z } from 'zod';
import { type ErrorCode, errorTable } from '../core/errors.ts';
import { served } from '../core/fallback.ts';
import { fallbackId } from '../core/policies.ts';
import type { Certificate, Deployment, Failure, Instant } from '../core/types.ts';
import { type Held, heldOf } from './certificates.ts';
import { defineOperation, type OperationNeeds } from './define.ts';
import { hostName } from './fields.ts';
import { lineagesForName } from './lineages.ts';
import { domainFor } from './refusals.ts';
import { explain, explainUnknown } from './why-words.ts';
import { nearest } from './words.ts';

/** What is known about one certificate of a host, and what comes next. */
export interface WhyCertificate {
  readonly lineage: string;
  /** What the targets should show at this moment. */
  readonly served?:
    | Pick<Certificate, 'lineage' | 'source' | 'issuer' | 'issuerName' | 'notAfter' | 'serial'>
    | undefined;
  readonly targets: readonly WhyTarget[];
  readonly failures: number;
  readonly failingSince?: Instant | undefined;
  readonly lastError?: (Failure & { readonly advice?: string | undefined }) | undefined;
  readonly order?: { readonly issuer: string; readonly startedAt: Instant } | undefined;
  readonly renewAt?: Instant | undefined;
  /** Next order or look at it; absent: none is planned. */
  readonly nextAt?: Instant | undefined;
  readonly unwantedSince?: Instant | undefined;
  readonly reminders: { readonly count: number; readonly silencedUntil?: Instant | undefined };
}

export interface WhyTarget {
  readonly target: string;
  /** same: shows what it should · other: shows something else · nothing: nothing was seen there yet. */
  readonly shows: 'same' | 'other' | 'nothing';
  readonly seenAt?: Instant | undefined;
  readonly source?: Certificate['source'] | undefined;
  readonly lastError?: Failure | undefined;
  readonly retryAt?: Instant | undefined;
}

/** Why there is no certificate for a name at all. */
export interface WhyUnknown {
  readonly domain?: string | undefined;
  readonly reason: 'no-domain' | 'no-host' | 'disabled' | 'custom';
  /** A known name that may have been meant. */
  readonly nearest?: string | undefined;
}

export interface WhyAnswer {
  readonly asOf: Instant;
  readonly host: string;
  readonly certificates: readonly WhyCertificate[];
  readonly unknown?: WhyUnknown | undefined;
  /** The same in plain words, one screen. */
  readonly lines: readonly string[];
}

export const why = defineOperation({
  name: 'why',
  kind: 'read',
  method: 'GET',
  path: '/hosts/{host}/why',
  scope: 'read',
  summary: 'Says what is served for a host, why it is not something better, and what happens next.',
  input: z.strictObject({ host: hostName.describe('Host name') }),
  run: async ({ host }, needs): Promise<WhyAnswer> => {
    const lineages = await lineagesForName(host, needs);
    const held = await heldOf(lineages, needs);
    const certificates = await Promise.all(held.map((one) => factsOf(one, needs)));
    const asOf = needs.clock.now();
    if (certificates.length > 0)
      return { asOf, host, certificates, lines: explain(host, certificates, asOf) };
    const unknown = await unknownOf(host, needs);
    return { asOf, host, certificates, unknown, lines: explainUnknown(host, unknown) };
  },
});

async function factsOf(held: Held, needs: OperationNeeds): Promise<WhyCertificate> {
  const { lineage, state, certificate } = held;
  const [domain, fallback, deployments, issuance, nextAt] = await Promise.all([
    needs.wishes.domain(lineage.domain),
    needs.certificates.certificate(fallbackId(lineage.policy ?? lineage.id)),
    needs.deployments.of(lineage.id),
    needs.issuances.get(lineage.id),
    needs.due.at('issue', lineage.id),
  ]);
  const shown = served({ certificate, fallback, now: needs.clock.now() });
  const { count, silencedUntil } = state.reminders;
  return {
    lineage: lineage.id,
    served: shown === undefined ? undefined : publicFacts(shown),
    targets: (domain?.deploy ?? []).map((target) => targetOf(target, deployments, shown)),
    failures: state.failures,
    failingSince: state.failingSince,
    lastError:
      state.lastFailure === undefined
        ? undefined
        : { ...state.lastFailure, advice: adviceOf(state.lastFailure.code) },
    order: issuance === undefined ? undefined : { issuer: issuance.issuer, startedAt: issuance.startedAt },
    renewAt: state.renewAt,
    nextAt,
    unwantedSince: lineage.unwantedSince,
    reminders: { count, silencedUntil },
  };
}

function publicFacts(shown: Certificate): WhyCertificate['served'] {
  const { lineage, source, issuer, issuerName, notAfter, serial } = shown;
  return { lineage, source, issuer, issuerName, notAfter, serial };
}

function targetOf(
  target: string,
  deployments: readonly Deployment[],
  shown: Certificate | undefined,
): WhyTarget {
  const deployment = deployments.find((one) => one.target === target);
  const { observed, lastFailure, retryAt } = deployment ?? {};
  const shows =
    observed === undefined ? 'nothing' : observed.fingerprint === shown?.fingerprint ? 'same' : 'other';
  return { target, shows, seenAt: observed?.at, source: observed?.source, lastError: lastFailure, retryAt };
}

async function unknownOf(host: string, needs: OperationNeeds): Promise<WhyUnknown> {
  const domain = await domainFor([host], needs);
  if (domain === undefined) {
    const domains = (await needs.wishes.domains()).map(({ name }) => name);
    return { reason: 'no-domain', nearest: nearestDomain(host, domains) };
  }
  if (domain.disabledAt !== undefined) return { reason: 'disabled', domain: domain.name };
  const hosts = await needs.wishes.hosts(domain.name);
  if (hosts.some(({ name }) => name === host)) return { reason: 'custom', domain: domain.name };
  const names = hosts.map(({ name }) => name);
  return { reason: 'no-host', domain: domain.name, nearest: nearest(host, names) };
}

/** The domain that a mistyped name was likely meant to lie under: each of its endings is compared. */
function nearestDomain(host: string, domains: readonly string[]): string | undefined {
  const labels = host.split('.');
  const endings = labels.slice(0, -1).map((_, from) => labels.slice(from).join('.'));
  return endings.map((ending) => nearest(ending, domains)).find((near) => near !== undefined);
}

function adviceOf(code: string): string | undefined {
  return code in errorTable ? errorTable[code as ErrorCode].advice : undefined;
}
