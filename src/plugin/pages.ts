import { AgentError } from '../core/errors.ts';

export interface Page<Item, Cursor> {
  readonly items: readonly Item[];
  /** Of the next page; undefined: this was the last. */
  readonly next: Cursor | undefined;
}

/** More than any list of zones or records that is meant. */
const maxPages = 1000;

/** All items of a list that comes in pages: by number, offset, cursor or URL. */
export async function readPages<Item, Cursor>(
  first: Cursor,
  read: (cursor: Cursor) => Promise<Page<Item, Cursor>>,
): Promise<Item[]> {
  const found: Item[] = [];
  let cursor: Cursor | undefined = first;
  for (let count = 0; cursor !== undefined; count++) {
    if (count === maxPages)
      throw new AgentError('provider.unavailable', `the vendor's list does not end after ${maxPages} pages`);
    const page: Page<Item, Cursor> = await read(cursor);
    found.push(...page.items);
    cursor = page.next;
  }
  return found;
}

/** The number of the page after one, where the vendor tells how many there are; or goes on until one is not full. */
export function nextNumber(
  number: number,
  more: { readonly pages: number } | { readonly size: number; readonly items: readonly unknown[] },
): number | undefined {
  const isLast = 'pages' in more ? number >= more.pages : more.items.length < more.size;
  return isLast ? undefined : number + 1;
}

/** The target of `rel="next"` in a Link header (RFC 8288). */
export function nextLink(header: string | undefined): string | undefined {
  return /<([^>]*)>[^,]*;\s*rel="?next"?/.exec(header ?? '')?.[1];
}
