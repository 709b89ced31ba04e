import type { Instant, RenewalState } from '../types.ts';

type Request = RenewalState['requested'];

/** Asked for, and not put off. */
export function isAsked({ requested }: RenewalState, now: Instant): boolean {
  return requested !== undefined && requested.at <= now;
}

/** A wish newer than the one we worked on stands. */
export function answered(now: RenewalState, seen: RenewalState): Request {
  return now.requested?.at === seen.requested?.at ? undefined : now.requested;
}

/** A wish that has to wait: what was tried for it since it was asked for is not tried again for its sake. */
export function putOff(
  { force, task, at: asked, askedAt = asked }: NonNullable<Request>,
  at: Instant,
): NonNullable<Request> {
  return { at, force, task, askedAt };
}

/** The next issuer may still answer a request; one that was forced stays a wish, on the ladder and without its task. */
export function wishAfterFailure(state: RenewalState, seen: RenewalState, retryAt: Instant): Request {
  const newer = answered(state, seen);
  const { requested } = seen;
  return (
    newer ?? (requested?.force === true ? putOff({ ...requested, task: undefined }, retryAt) : undefined)
  );
}
