import type { ImportItem } from '../agent.ts';
import { type ExitCode, exitCodes } from './exit.ts';
import { json, table } from './print.ts';
import { reported } from './run.ts';
import type { GlobalOptions, World } from './world.ts';

/** Clients whose folders can be read. */
export const otherClients = ['certbot', 'acme.sh', 'lego'] as const;

export interface ImportCommand extends GlobalOptions {
  readonly from: (typeof otherClients)[number];
  readonly issuer?: string | undefined;
  readonly dryRun?: boolean | undefined;
}

/** `import FOLDER --from CLIENT`. */
export async function importCommand(folder: string, options: ImportCommand, world: World): Promise<ExitCode> {
  const { from, issuer, dryRun = false } = options;
  return reported(
    world,
    async (loaded) => {
      const { importIntoAgent } = await world.agent();
      const items = await importIntoAgent(loaded, { from, folder, issuer, dryRun });
      const left = items.filter(({ outcome }) => outcome === 'not taken');
      if (options.json === true) world.terminal.out(json({ dryRun, items }));
      else world.terminal.out(render(options.quiet === true ? left : items, options));
      return left.length === 0 ? exitCodes.ok : exitCodes.unfinished;
    },
    options,
  );
}

function render(items: readonly ImportItem[], { quiet, dryRun }: ImportCommand): string {
  if (quiet === true) return items.map(({ at, note }) => `${at}: ${note}\n`).join('');
  const rows = items.map(({ what, at, names, outcome, into, note }) => [
    what,
    names?.join(', ') ?? at,
    outcome,
    [into, note].filter((part) => part !== undefined).join(': ') || '-',
  ]);
  const count = (wanted: ImportItem['outcome']) => items.filter(({ outcome }) => outcome === wanted).length;
  const taken = count('taken') + count('would be taken');
  const rest = `${count('there already')} there already, ${count('not taken')} not taken`;
  const sum = `${taken} ${dryRun === true ? 'would be taken' : 'taken'}, ${rest}; nothing was ordered\n`;
  return `${table(['WHAT', 'NAMES', 'OUTCOME', 'NOTE'], rows)}${sum}`;
}
