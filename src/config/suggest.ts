/** `, did you mean "x"?`, or when nothing is close the list of what is known and what to do else. */
export function suggestion(
  wrong: string,
  known: readonly string[],
  [what, otherwise = '']: readonly [what: string, otherwise?: string],
): string {
  const close = closest(wrong, known);
  if (close !== undefined) return `, did you mean "${close}"?`;
  const list = known.length === 0 ? '' : ` (${what}: ${[...known].sort().join(', ')})`;
  return otherwise === '' ? list : `${list}; ${otherwise}`;
}

function closest(wrong: string, known: readonly string[]): string | undefined {
  const limit = Math.ceil(wrong.length / 3);
  const rated = known
    .map((name) => ({ name, far: distance(wrong.toLowerCase(), name.toLowerCase()) }))
    .filter(({ far }) => far <= limit)
    .sort((a, b) => a.far - b.far);
  return rated[0]?.name;
}

/** Letters to insert, delete or replace, and neighbours to swap. */
function distance(a: string, b: string): number {
  let before: readonly number[] = [];
  let row: readonly number[] = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swapped = isSwap ? (before[j - 2] ?? 0) + 1 : replaced;
      next.push(Math.min(replaced, swapped, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    before = row;
    row = next;
  }
  return row[b.length] ?? 0;
}
