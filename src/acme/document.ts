import type { Instant } from '../core/types.ts';
import type { Answer } from './transport.ts';

/** Documents of a CA, of which nothing is sure. */

/** undefined when the body is not JSON, whatever its label says. */
export function parseJson(answer: Answer): unknown {
  try {
    return JSON.parse(answer.text);
  } catch {
    return undefined;
  }
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** RFC 3339, as ACME writes all its dates; `Date.parse` alone takes more. */
export function instantOf(value: unknown): Instant | undefined {
  if (typeof value !== 'string' || !/^\d{4}-\d\d-\d\d[Tt ]/.test(value)) return undefined;
  const at = Date.parse(value);
  return Number.isNaN(at) ? undefined : at;
}
