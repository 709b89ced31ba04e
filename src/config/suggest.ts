/** `, did you mean "x"?`, or the list of what is known when nothing is close. */
export function suggestion(wrong: string, known: readonly string[], what: string): string {
  const close = closest(wrong, known);
  if (close !== undefined) return `, did you mean "${close}"?`;
  return known.length === 0 ? '' : ` (${what}: ${[...known].sort().join(', ')})`;
}

function closest(wrong: string, known: readonly string[]): string | undefined {
  const limit = Math.ceil(wrong.length / 3);
  const rated = known
    .map((name) => ({ name, far: distance(wrong.toLowerCase(), name.toLowerCase()) }))
    .filter(({ far }) => far <= limit)
    .sort((a, b) => a.far - b.far);
  return rated[0]?.name;
}

/** Letters to insert, delete or replace. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
