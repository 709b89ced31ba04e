import { AgentError } from '../errors.ts';
import type { AcmeAuthorization, AcmeOrder, AcmeSession } from '../ports.ts';
import { codeOf, gravest, type Verdict, wordsOf } from '../verdict.ts';

/** The CA's verdict in its own words, by name. RFC 8555 §7.1.6, §8.2. */
export async function explain(
  order: AcmeOrder,
  session: AcmeSession,
  signal: AbortSignal,
): Promise<AgentError> {
  const authorizations = order.authorizations.map((url) => session.authorization(url, signal));
  return explained(order, await Promise.all(authorizations), session.issuer);
}

/** As `explain`, of authorizations that were fetched. */
export function explained(
  order: AcmeOrder,
  authorizations: readonly AcmeAuthorization[],
  issuer: string,
): AgentError {
  const failed = authorizations.flatMap((authorization) => {
    const problem = authorization.challenges.find(({ error }) => error !== undefined)?.error;
    return problem === undefined ? [] : [{ name: nameOf(authorization), problem }];
  });
  const problem = order.error ?? failed[0]?.problem;
  const verdicts = failed.map(
    ({ name, problem: one }): Verdict => ({ name, code: codeOf(one), message: wordsOf(one) }),
  );
  const [first] = verdicts;
  if (first !== undefined) {
    const words = verdicts.map(({ name, message }) => `${name}: ${message}`).join('; ');
    const code = gravest(
      verdicts.map((one) => one.code),
      first.code,
    );
    return new AgentError(code, `${issuer}: ${words}`, { facts: { verdicts, problem } });
  }
  if (problem !== undefined)
    return new AgentError(codeOf(problem), `${issuer}: ${wordsOf(problem)}`, { facts: { problem } });
  const hasExpired = authorizations.some(({ status }) => status === 'expired');
  return hasExpired
    ? new AgentError('order.expired', `${issuer}: the order expired before it was finalized`)
    : new AgentError('order.invalid', `${issuer}: the order became invalid, and no reason was given`);
}

export function nameOf({ identifier, wildcard }: AcmeAuthorization): string {
  return wildcard ? `*.${identifier.value}` : identifier.value;
}
