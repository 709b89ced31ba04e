import { compareNames, type TxtSet } from './route53-sets.ts';

/** Where a page of a zone's record sets begins; undefined: at its start. */
export interface PageStart {
  /** As Route 53 writes names, or as the core does. */
  readonly name: string;
  readonly type: string;
  readonly identifier?: string | undefined;
}

export interface Page {
  /** The TXT sets among them. */
  readonly sets: readonly TxtSet[];
  /** Name of the last set of any type. */
  readonly lastName: string;
  /** Absent: this was the last page. */
  readonly next?: PageStart | undefined;
}

export type ReadPage = (start: PageStart | undefined) => Promise<Page>;

/**
 * TXT sets at these names, in as few pages as cover them: the next page starts at the first
 * name not yet passed. `oneByOne` relies on no order: one page a name.
 */
export async function readSets(
  read: ReadPage,
  { names, oneByOne }: { readonly names: readonly string[]; readonly oneByOne: boolean },
): Promise<TxtSet[]> {
  const found: TxtSet[] = [];
  let left = [...new Set(names)].sort(compareNames);
  for (let first = left[0]; first !== undefined; first = left[0]) {
    const page = await read({ name: first, type: 'TXT' });
    const passed = left.filter((name) => name === first || (!oneByOne && isPassed(name, page)));
    found.push(...page.sets.filter((set) => passed.includes(set.name)));
    left = left.filter((name) => !passed.includes(name));
  }
  return found;
}

export async function readAllSets(read: ReadPage): Promise<TxtSet[]> {
  const found: TxtSet[] = [];
  let start: PageStart | undefined;
  do {
    const page: Page = await read(start);
    found.push(...page.sets);
    start = page.next;
  } while (start !== undefined);
  return found;
}

/** The sets of the last name may go on on the next page. */
function isPassed(name: string, page: Page): boolean {
  return page.next === undefined || compareNames(name, page.lastName) < 0;
}
