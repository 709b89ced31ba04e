import { type AgentError, errorTable } from '../errors.ts';
import type { Failure, Instant } from '../types.ts';
import type { Verdict } from '../verdict.ts';

/** What went wrong, as it is remembered and told. */
export function failureOf(error: AgentError, issuer: string | undefined, at: Instant): Failure {
  const { verdicts } = error.facts as { readonly verdicts?: readonly Verdict[] };
  const names = verdicts && Object.fromEntries(verdicts.map((one) => [one.name, one.message]));
  const { code } = error;
  const advice = error.advice === errorTable[code].advice ? undefined : error.advice;
  return { at, code, message: saidBy(issuer, error), issuer, names, advice };
}

/** Errors of a CA begin with the name of its issuer; wherever this is kept or told, that name stands beside it. */
export function saidBy(issuer: string | undefined, { message }: AgentError): string {
  return message.startsWith(`${issuer}: `) ? message.slice(`${issuer}: `.length) : message;
}
