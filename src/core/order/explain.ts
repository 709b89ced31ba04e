import { AgentError, codeOfProblem } from '../errors.ts';
import type { AcmeAuthorization, AcmeOrder, AcmeSession, Problem } from '../ports.ts';

/** The CA's verdict in its own words, by name. RFC 8555 §7.1.6, §8.2. */
export async function explain(
  order: AcmeOrder,
  session: AcmeSession,
  signal: AbortSignal,
): Promise<AgentError> {
  const authorizations = await Promise.all(
    order.authorizations.map((url) => session.authorization(url, signal)),
  );
  const failed = authorizations.flatMap((authorization) => {
    const problem = authorization.challenges.find(({ error }) => error !== undefined)?.error;
    return problem === undefined ? [] : [{ name: nameOf(authorization), problem }];
  });
  const problem = failed[0]?.problem ?? order.error;
  if (problem === undefined && authorizations.some(({ status }) => status === 'expired'))
    return new AgentError('order.expired', `${session.issuer}: the order expired before it was finalized`);
  if (problem === undefined)
    return new AgentError(
      'order.invalid',
      `${session.issuer}: the order became invalid, and no reason was given`,
    );
  const words =
    failed.length === 0
      ? wordsOf(problem)
      : failed.map(({ name, problem: one }) => `${name}: ${wordsOf(one)}`).join('; ');
  const names = Object.fromEntries(failed.map(({ name, problem: one }) => [name, wordsOf(one)]));
  return new AgentError(codeOfProblem(problem.type), `${session.issuer}: ${words}`, {
    facts: { names, problem },
  });
}

function wordsOf(problem: Problem): string {
  return problem.detail ?? problem.type;
}

export function nameOf({ identifier, wildcard }: AcmeAuthorization): string {
  return wildcard ? `*.${identifier.value}` : identifier.value;
}
