import type { HandedIn } from '../../../../src/core/types.ts';

/** Something that is wrong, and exactly what is said of it. */
export interface Malformed {
  readonly name: string;
  readonly files: HandedIn;
  readonly sentence: string;
}

export function cases(
  of: readonly (readonly [name: string, files: HandedIn, sentence: string])[],
): readonly Malformed[] {
  return of.map(([name, files, sentence]) => ({ name, files, sentence }));
}
