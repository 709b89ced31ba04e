import type { CheckItem } from '../agent.ts';
import { type ExitCode, exitCodes } from './exit.ts';
import { json } from './print.ts';
import { reported } from './run.ts';
import type { GlobalOptions, World } from './world.ts';

/** `check`: looks at everything the configuration names, and changes nothing. */
export async function check(options: GlobalOptions, world: World): Promise<ExitCode> {
  return reported(
    world,
    async (loaded) => {
      const { checkAgent } = await world.agent();
      const items = await checkAgent(loaded);
      const faults = items.filter(({ ok }) => !ok);
      if (options.json === true) world.terminal.out(json({ ok: faults.length === 0, items }));
      else for (const one of options.quiet === true ? faults : items) world.terminal.out(itemLine(one));
      return faults.length === 0 ? exitCodes.ok : exitCodes.failed;
    },
    options,
  );
}

function itemLine({ name, ok, message, advice }: CheckItem): string {
  if (ok) return `ok      ${name}: ${message}\n`;
  const sentence = /[.!?]$/.test(message) ? message : `${message}.`;
  return `FAILED  ${name}: ${[sentence, advice].join(' ').trim()}\n`;
}

/** `backup FILE`. */
export async function backup(file: string, options: GlobalOptions, world: World): Promise<ExitCode> {
  return reported(
    world,
    async (loaded) => {
      const { backupAgent } = await world.agent();
      await backupAgent(loaded, file);
      return said(`wrote ${file}; it opens only with the master key of this store`, options, world);
    },
    options,
  );
}

/** `restore FILE`. */
export async function restore(
  file: string,
  options: GlobalOptions & { readonly force?: boolean | undefined },
  world: World,
): Promise<ExitCode> {
  return reported(
    world,
    async (loaded) => {
      const { restoreAgent } = await world.agent();
      await restoreAgent(loaded, file, { force: options.force === true });
      return said(`restored ${file}`, options, world);
    },
    options,
  );
}

function said(text: string, { quiet, json: asJson }: GlobalOptions, { terminal }: World): ExitCode {
  if (asJson === true) terminal.out(json({ message: text }));
  else if (quiet !== true) terminal.out(`${text}\n`);
  return exitCodes.ok;
}
