/** Typing slips that are forgiven at most. */
const mostSlips = 4;

/** That of `known` which a person may have meant by `name`, whatever its case; undefined: nothing is near. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const limit = Math.min(mostSlips, Math.ceil(name.length / 3));
  const rated = known
    .filter((one) => Math.abs(one.length - name.length) <= limit)
    .map((one) => ({ one, far: distance(name.toLowerCase(), one.toLowerCase()) }))
    .filter(({ far }) => far <= limit);
  return rated.toSorted((a, b) => a.far - b.far)[0]?.one;
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
