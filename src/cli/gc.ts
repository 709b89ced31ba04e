import type { Leftover } from '../core/dns-care.ts';
import type { OperationsClient } from '../operations/define.ts';
import { type Discarded, dnsDiscard, type GcAnswer } from '../operations/dns-gc.ts';
import { counted, relative } from '../operations/words.ts';
import { type ExitCode, exitCodes } from './exit.ts';
import { json, table } from './print.ts';
import type { GlobalOptions, World } from './world.ts';

/** Of the command line alone: what is listed is deleted by a command of its own. */
export const gcOptions = [
  ['--delete', 'delete those that are listed, but for those whose age the vendor does not tell'],
  ['--any-age', 'with --delete: those, too'],
] as const;

export interface GcOptions extends GlobalOptions {
  readonly delete?: boolean | undefined;
  readonly anyAge?: boolean | undefined;
}

/** The text of `dns gc`. */
export function renderGc({ asOf, zones, leftovers, young, trouble }: GcAnswer): string {
  const rows = leftovers.map(({ account, name, value, changedAt }) => [
    account,
    name,
    value,
    changedAt === undefined ? 'age unknown: the vendor does not tell' : relative(changedAt, asOf),
  ]);
  const some = zones.filter(({ scope }) => scope === 'names').map(({ zone }) => zone);
  const notes = [
    ...(zones.length === 0 ? ['no zone was looked through'] : []),
    ...(rows.length === 0 && zones.length > 0
      ? [`nothing is left over in ${zones.map(({ zone }) => zone).join(', ')}`]
      : []),
    ...(young > 0 ? [`${counted(young, 'younger one')} may be in use and is not listed`] : []),
    ...(some.length > 0
      ? [`of ${some.join(', ')} only the names with certificates were looked up: the vendor lists no records`]
      : []),
    ...trouble.map((words) => `not looked through: ${words}`),
  ];
  const list = rows.length === 0 ? '' : table(['ACCOUNT', 'NAME', 'VALUE', 'CHANGED'], rows);
  return `${list}${notes.map((note) => `${note}\n`).join('')}`;
}

/** Deletes what was listed, many at a time. */
export async function discardListed(
  { leftovers }: GcAnswer,
  { client, options }: { readonly client: OperationsClient; readonly options: GcOptions },
  { terminal }: World,
): Promise<ExitCode> {
  const chosen = leftovers.filter(({ changedAt }) => options.anyAge === true || changedAt !== undefined);
  const removed: Leftover[] = [];
  const left: Leftover[] = [];
  for (let from = 0; from < chosen.length; from += atOnce) {
    const answer = await client.run(dnsDiscard, { records: chosen.slice(from, from + atOnce) });
    removed.push(...answer.removed);
    left.push(...answer.left);
  }
  const kept = leftovers.length - chosen.length;
  if (options.json === true) terminal.out(json({ removed, left, kept }));
  else if (options.quiet !== true) terminal.out(renderDiscarded({ removed, left }, kept));
  return left.length === 0 ? exitCodes.ok : exitCodes.unfinished;
}

const atOnce = 100;

function renderDiscarded({ removed, left }: Discarded, kept: number): string {
  const lines = [
    ...removed.map(({ name, value }) => `deleted ${name} ${value}`),
    ...left.map(({ name, value }) => `not deleted yet, the agent goes on with it: ${name} ${value}`),
    ...(kept > 0 ? [`kept ${kept} whose age nobody knows; --any-age deletes them, too`] : []),
    ...(removed.length + left.length + kept === 0 ? ['nothing to delete'] : []),
  ];
  return lines.map((line) => `${line}\n`).join('');
}
