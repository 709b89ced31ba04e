import { AgentError } from '../errors.ts';
import type { AcmeOrder, AcmeSession, Ports } from '../ports.ts';
import type { Instant, Issuance } from '../types.ts';
import { type Again, longestInProcessMs, pollPause, seldom } from '../wait.ts';

export interface Processing {
  readonly order: AcmeOrder;
  readonly session: AcmeSession;
  /** When the CA was told to issue. */
  readonly finalizedAt: Instant;
  /** A wait in process ends by then. */
  readonly until: Instant;
}

const minute = 60_000;
const hour = 60 * minute;

/** A CA that is longer at it counts as one that does not work: attempts follow the ladder, and looks come in between. */
const longestMs = hour;

/** Between looks at an order that its CA has been at for so long. */
export function lookPauseMs(ageMs: number): number {
  return Math.min(Math.max(ageMs / 8, 10 * minute), hour);
}

/**
 * Until the CA has made the certificate, or refused it. Resolves with the order as the CA then has it, or with an instant
 * to come back; throws `acme.server` for a CA that makes nothing of it, from which `latenessOf` tells when to look again.
 */
export async function untilMade(
  { order, session, finalizedAt, until }: Processing,
  { clock }: Pick<Ports, 'clock'>,
  signal: AbortSignal,
): Promise<AcmeOrder | Again> {
  // Most certificates are made in a moment. Of one that is not, each later job has one look.
  const inProcess = Math.min(until, finalizedAt + longestInProcessMs);
  let seen = order;
  for (let poll = 0; seen.status === 'processing'; poll++) {
    const pause = pollPause(poll, seen.retryAfterMs, 20);
    const now = clock.now();
    if (pause > longestInProcessMs || now + pause > inProcess) {
      const age = now - finalizedAt;
      if (age < longestMs) return { again: now + Math.max(pause, seldom(age)) };
      throw late(session.issuer, { order: seen, age, lookAt: now + Math.max(pause, lookPauseMs(age)) });
    }
    await clock.sleep(pause, signal);
    seen = await session.order(order.url, signal);
  }
  return seen;
}

/** With the instant of the next look; none at an order that has expired by then, which only the CA's own word ends. */
function late(
  issuer: string,
  { order, age, lookAt }: { readonly order: AcmeOrder; readonly age: number; readonly lookAt: Instant },
): AgentError {
  const isOver = order.expires !== undefined && order.expires <= lookAt;
  const message = `${issuer} has not made the certificate after ${Math.round(age / minute)} minutes`;
  return new AgentError('acme.server', message, { facts: { late: { lookAt: isOver ? undefined : lookAt } } });
}

/** What an error tells of an order that takes too long; undefined: it tells of something else. */
export function latenessOf({ facts }: AgentError): Pick<Issuance, 'lookAt'> | undefined {
  return facts.late as Pick<Issuance, 'lookAt'> | undefined;
}
