import { AgentError, type ErrorCode, problemName } from '../core/errors.ts';
import type { Identifier, Problem } from '../core/ports.ts';
import type { Instant } from '../core/types.ts';
import { codeOf, wordsOf } from '../core/verdict.ts';
import { isRecord, parseJson } from './document.ts';
import type { Answer } from './transport.ts';

const hour = 3_600_000;
/** No CA means more than this; a greater value is a fault on its side or ours. */
const longestWaitMs = 7 * 24 * hour;
/** A server that is too busy speaks for all our orders, and cannot know for how long: it is asked again after this. */
const longestBusyMs = hour;
/** An address at which a person ends a pause is among the longest that one must read whole. */
const longestText = 4000;
/** Taking the markup out of a large page of nothing but brackets would take minutes. */
const longestPage = 20_000;

/** What an answer of 400 and above says, with the problem document whole in `facts.problem`. */
export function errorOf(answer: Answer, issuer: string, now: Instant): AgentError {
  const problem = readProblem(parseJson(answer));
  const retryAfterMs = retryAfter(answer, now);
  return new AgentError(codeFor(answer, problem), messageFor(answer, issuer, problem), {
    retryAt: retryAfterMs === undefined ? undefined : now + retryAfterMs,
    facts: { issuer, url: answer.url, status: answer.status, problem, retryAfterMs },
  });
}

/** Type of the CA's problem without the common prefix; undefined when the error is not one of the CA. */
export function problemType(error: unknown): string | undefined {
  if (!(error instanceof AgentError)) return undefined;
  const problem = readProblem(error.facts.problem);
  return problem && problemName(problem.type);
}

/**
 * Seconds or an HTTP date (RFC 9110 §10.2.3), as milliseconds from `now`, between 0 and 7 days, with a 503 an hour. A date is read by the
 * clock of the CA, as far as its answer shows that: ours may be an hour off.
 */
export function retryAfter(answer: Answer, now: Instant): number | undefined {
  const { 'retry-after': value, date } = answer.headers;
  if (value === undefined) return undefined;
  const theirs = Date.parse(date ?? '');
  const from = Number.isNaN(theirs) ? now : theirs;
  const ms = /^\s*\d+\s*$/.test(value) ? Number(value) * 1000 : httpDate(value) - from;
  return Number.isNaN(ms)
    ? undefined
    : Math.min(Math.max(ms, 0), answer.status === 503 ? longestBusyMs : longestWaitMs);
}

/** Every form begins with the day of the week; `Date.parse` alone takes "-5" and "1.5" for dates. */
function httpDate(value: string): number {
  return /^\s*[a-z]{3,9},? /i.test(value) ? Date.parse(value) : Number.NaN;
}

/** The document without what is not of the expected shape; undefined when it has no type. */
export function readProblem(value: unknown): Problem | undefined {
  if (!isRecord(value) || typeof value.type !== 'string') return undefined;
  const subproblems = Array.isArray(value.subproblems)
    ? value.subproblems.map(readProblem).filter((one) => one !== undefined)
    : undefined;
  return {
    type: value.type,
    detail: textOf(value.detail),
    status: typeof value.status === 'number' ? value.status : undefined,
    instance: textOf(value.instance),
    identifier: readIdentifier(value.identifier),
    subproblems,
  };
}

/** CAs quote what strangers' servers said, and people read it at a terminal. */
function textOf(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined;
  const text = value.replace(/\p{Cc}+/gu, ' ');
  return text.length > longestText ? `${text.slice(0, longestText)}…` : text;
}

export function readIdentifier(value: unknown): Identifier | undefined {
  if (!isRecord(value) || typeof value.value !== 'string') return undefined;
  return value.type === 'dns' || value.type === 'ip' ? { type: value.type, value: value.value } : undefined;
}

function codeFor({ status, headers }: Answer, problem: Problem | undefined): ErrorCode {
  if (!problem || problem.type === 'about:blank') {
    if (status === 429) return 'acme.rateLimited';
    return status >= 500 ? 'acme.server' : 'acme.response';
  }
  const code = codeOf(problem);
  if (code === 'acme.rateLimited') {
    // A load balancer's 503 says "rateLimited" too. Paused names come without a date, with the address of a person's way out.
    const paused = status !== 503 && headers['retry-after'] === undefined;
    return paused && /https?:\/\/\S*unpause/i.test(problem.detail ?? '') ? 'acme.paused' : code;
  }
  // On a request, not on a challenge, the CA speaks of the account that signed it.
  return code === 'challenge.unauthorized' ? 'acme.account' : code;
}

function messageFor(answer: Answer, issuer: string, problem: Problem | undefined): string {
  if (!problem) {
    const said = plainText(answer.text);
    return `${issuer}: answered with HTTP ${answer.status}${said ? `: ${said}` : ' and an empty body'}`;
  }
  const see = problem.instance === undefined ? '' : `; see ${problem.instance}`;
  return `${issuer}: ${wordsOf({ ...problem, detail: `${problem.detail ?? problem.type}${see}` })}`;
}

/** First words of an error page. */
function plainText(body: string): string {
  const words = body
    .slice(0, longestPage)
    .replace(/<(style|script)[\s\S]*?<\/\1>/gi, ' ')
    .replace(/<[^>]*>/g, ' ')
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .trim();
  return words.length > 200 ? `${words.slice(0, 200)}…` : words;
}
