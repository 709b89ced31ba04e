import {
  type AgentError,
  codeOfProblem,
  type ErrorCode,
  errorTable,
  problemName,
  type Retry,
} from './errors.ts';
import type { Problem } from './ports.ts';

/** What was said of one name of an order. */
export interface Verdict {
  readonly name: string;
  readonly code: ErrorCode;
  readonly message: string;
}

/** Of a problem document, of each of its subproblems that names an identifier (RFC 8555 §6.7.1). */
export function verdictsOf({ subproblems = [] }: Problem): readonly Verdict[] {
  return subproblems.flatMap(({ identifier, type, detail }) =>
    identifier === undefined
      ? []
      : [{ name: identifier.value.toLowerCase(), code: codeOfProblem(type), message: detail ?? type }],
  );
}

/** Of the names of an order that failed, as far as it was said which; CAs may name a wildcard by its base. */
export function verdictsIn({ facts }: AgentError, ordered: readonly string[]): readonly Verdict[] {
  const { verdicts, problem } = facts as {
    readonly verdicts?: readonly Verdict[];
    readonly problem?: Problem;
  };
  const said = verdicts ?? (problem === undefined ? [] : verdictsOf(problem));
  return said.flatMap((one) => {
    const name = [one.name, `*.${one.name}`].find((choice) => ordered.includes(choice));
    return name === undefined ? [] : [{ ...one, name }];
  });
}

/** Of a problem that only sums up others (`compound`) that of the gravest. */
export function codeOf(problem: Problem): ErrorCode {
  const verdicts = verdictsOf(problem);
  const [first] = verdicts;
  return problemName(problem.type) === 'compound' && first !== undefined
    ? gravest(
        verdicts.map(({ code }) => code),
        first.code,
      )
    : codeOfProblem(problem.type);
}

const gravity: readonly Retry[] = ['soon', 'later', 'blocked'];

/** The order goes through when all is mended: what takes longest decides. */
export function gravest(codes: readonly ErrorCode[], first: ErrorCode): ErrorCode {
  const weight = (code: ErrorCode) => gravity.indexOf(errorTable[code].retry);
  return codes.reduce((worst, code) => (weight(code) > weight(worst) ? code : worst), first);
}

/** With the words on each name. */
export function wordsOf(problem: Problem): string {
  const about = (problem.subproblems ?? []).map(
    (one) => `${one.identifier ? `${one.identifier.value}: ` : ''}${one.detail ?? one.type}`,
  );
  return [problem.detail ?? problem.type, ...about].join('; ');
}
