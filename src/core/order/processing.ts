import { AgentError } from '../errors.ts';
import type { AcmeOrder, AcmeSession, Ports } from '../ports.ts';
import type { Instant } from '../types.ts';
import { type Again, longestInProcessMs, pollPause, seldom } from '../wait.ts';

export interface Processing {
  readonly order: AcmeOrder;
  readonly session: AcmeSession;
  /** When the CA was told to issue. */
  readonly finalizedAt: Instant;
  /** A wait in process ends by then. */
  readonly until: Instant;
}

/** A CA that is longer at it counts as one that does not work; its order is kept, and looked at by the ladder. */
const longestMs = 3_600_000;

/**
 * Until the CA has made the certificate, or refused it. Resolves with the order as the CA then has it, or with an instant
 * to come back; throws `acme.server` for a CA that makes nothing of it.
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
      const minutes = Math.round(age / 60_000);
      const message = `${session.issuer} has not made the certificate after ${minutes} minutes`;
      throw new AgentError('acme.server', message);
    }
    await clock.sleep(pause, signal);
    seen = await session.order(order.url, signal);
  }
  return seen;
}
