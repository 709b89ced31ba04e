import { z } from 'zod';
import { type HeldLineage, heldOf } from '../core/held-lineages.ts';
import type {
  Failure,
  Instant,
  LeftOut,
  LineageSource,
  Pause,
  RenewalState,
  Revoking,
  TxtByHand,
  Warning,
} from '../core/types.ts';
import { defineOperation, type OperationNeeds } from './define.ts';
import { hostName } from './fields.ts';
import { lineagesForName, placedUploads } from './lineages.ts';
import { type Shown, shownOf } from './targets.ts';
import { explainUnknown, unknownOf, type WhyUnknown } from './why-unknown.ts';
import { explain } from './why-words.ts';
import { withAdvice } from './words.ts';

/** What is known about one certificate of a host, and what comes next. */
export interface WhyCertificate extends Shown {
  readonly lineage: string;
  readonly source: LineageSource;
  readonly failures: number;
  readonly failingSince?: Instant | undefined;
  readonly lastError?: Failure | undefined;
  /** Seen before the last order, which it did not stop. */
  readonly warnings?: readonly Warning[] | undefined;
  readonly order?:
    | {
        readonly issuer: string;
        readonly startedAt: Instant;
        /** What a person has to add before it goes on. */
        readonly byHand?: readonly TxtByHand[] | undefined;
      }
    | undefined;
  readonly renewAt?: Instant | undefined;
  /** The CA's advice on it, where it gives any. */
  readonly window?: RenewalState['window'];
  readonly revokedAt?: Instant | undefined;
  /** What a person wants revoked. */
  readonly revoking?:
    | readonly Pick<Revoking, 'serial' | 'reason' | 'requestedAt' | 'lastFailure'>[]
    | undefined;
  /** The CA's limits have no room for its order. */
  readonly waiting?: { readonly issuer: string; readonly limit: string } | undefined;
  /** Wanted names that the certificate does without, for its CA refused them. */
  readonly leftOut: readonly (LeftOut & { readonly name: string })[];
  /** Issuers that take no order for it before a person has allowed it there. */
  readonly paused: readonly (Pause & { readonly issuer: string })[];
  /** Next order or look at it; absent: none is planned. */
  readonly nextAt?: Instant | undefined;
  readonly unwantedSince?: Instant | undefined;
  readonly reminders: {
    readonly count: number;
    readonly lastAt?: Instant | undefined;
    /** Absent: none is planned. */
    readonly nextAt?: Instant | undefined;
    readonly silencedUntil?: Instant | undefined;
  };
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
    const [uploads, others] = await Promise.all([placedUploads(host, needs), lineagesForName(host, needs)]);
    const lineages = new Map([...uploads, ...others].map((lineage) => [lineage.id, lineage]));
    const held = await heldOf([...lineages.values()], needs);
    const certificates = await Promise.all(held.map((one) => aboutOne(one, needs)));
    const asOf = needs.clock.now();
    if (certificates.length > 0)
      return { asOf, host, certificates, lines: explain(host, certificates, asOf) };
    const unknown = await unknownOf(host, needs);
    return { asOf, host, certificates, unknown, lines: explainUnknown(host, unknown, asOf) };
  },
});

async function aboutOne(held: HeldLineage, needs: OperationNeeds): Promise<WhyCertificate> {
  const { lineage, state } = held;
  const [shown, issuance, nextAt, reminderAt] = await Promise.all([
    shownOf(held, needs),
    needs.issuances.get(lineage.id),
    needs.due.at('issue', lineage.id),
    needs.due.at('remind', lineage.id),
  ]);
  const { count, lastAt, silencedUntil } = state.reminders;
  return {
    lineage: lineage.id,
    source: lineage.source,
    ...shown,
    failures: state.failures,
    failingSince: state.failingSince,
    lastError: state.lastFailure && withAdvice(state.lastFailure),
    warnings: state.warnings,
    order: issuance && {
      issuer: issuance.issuer,
      startedAt: issuance.startedAt,
      byHand: issuance.byHand?.records,
    },
    renewAt: state.renewAt,
    window: state.window,
    revokedAt: state.revokedAt,
    revoking: state.revoking?.map(({ serial, reason, requestedAt, lastFailure }) => ({
      serial,
      reason,
      requestedAt,
      lastFailure,
    })),
    waiting: state.waiting,
    leftOut: Object.entries(state.leftOut ?? {}).map(([name, { failure, ...left }]) => ({
      name,
      ...left,
      failure: withAdvice(failure),
    })),
    paused: Object.entries(state.paused ?? {}).map(([issuer, pause]) => ({ issuer, ...pause })),
    nextAt,
    unwantedSince: lineage.unwantedSince,
    reminders: { count, lastAt, nextAt: reminderAt, silencedUntil },
  };
}
