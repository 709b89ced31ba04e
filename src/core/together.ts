/**
 * As Promise.all, but it waits for all, and rejects with all that went wrong: the error itself where it is one, else an
 * AggregateError of them.
 */
export async function together<const T extends readonly unknown[]>(
  work: T,
): Promise<{ -readonly [Key in keyof T]: Awaited<T[Key]> }> {
  const settled = await Promise.allSettled(work);
  const errors = settled.flatMap((one) => (one.status === 'rejected' ? errorsOf(one.reason) : []));
  if (errors.length === 1) throw errors[0];
  if (errors.length > 1) throw new AggregateError(errors, errors.map(String).join('; '));
  return Promise.all(work) as Promise<{ -readonly [Key in keyof T]: Awaited<T[Key]> }>;
}

/** What was thrown, one by one. */
export function errorsOf(thrown: unknown): readonly unknown[] {
  return thrown instanceof AggregateError ? thrown.errors.flatMap(errorsOf) : [thrown];
}
