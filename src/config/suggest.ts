import { nearest } from '../core/nearest.ts';

/** `, did you mean "x"?`, or when nothing is close the list of what is known and what to do else. */
export function suggestion(
  wrong: string,
  known: readonly string[],
  [what, otherwise = '']: readonly [what: string, otherwise?: string],
): string {
  const close = nearest(wrong, known);
  if (close !== undefined) return `, did you mean "${close}"?`;
  const list = known.length === 0 ? '' : ` (${what}: ${[...known].sort().join(', ')})`;
  return otherwise === '' ? list : `${list}; ${otherwise}`;
}
