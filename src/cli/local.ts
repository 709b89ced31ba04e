import type { CheckItem } from '../agent.ts';
import type { AgentError } from '../core/errors.ts';
import { sentence } from '../operations/words.ts';
import { type ExitCode, exitCodes } from './exit.ts';
import { json } from './print.ts';
import { reported } from './run.ts';
import type { GlobalOptions, World } from './world.ts';

/**
 * `check`: looks at everything the configuration names, and changes nothing. Warnings alone are exit code 0. As JSON it
 * also answers for a file with mistakes.
 */
export async function check(options: GlobalOptions, world: World): Promise<ExitCode> {
  const answer = (items: readonly CheckItem[]) => {
    const ok = items.every(({ level }) => level !== 'failed');
    const shown = options.quiet === true ? items.filter(({ level }) => level !== 'ok') : items;
    world.terminal.out(options.json === true ? json({ ok, items }) : shown.map(itemLine).join(''));
    return ok ? exitCodes.ok : exitCodes.failed;
  };
  const tell = (error: AgentError) => void answer(mistakes(error));
  return reported(
    world,
    async (loaded) => {
      const { checkAgent } = await world.agent();
      return answer(await checkAgent(loaded));
    },
    { ...options, tell: options.json === true ? tell : undefined },
  );
}

/** The file as an item for each mistake in it. */
function mistakes({ message, advice }: AgentError): readonly CheckItem[] {
  return message
    .split('\n')
    .map((line) => ({ name: 'configuration', level: 'failed', message: line, advice }));
}

const labels: Readonly<Record<CheckItem['level'], string>> = { ok: 'ok', warn: 'warn', failed: 'FAILED' };

function itemLine({ name, level, message, advice }: CheckItem): string {
  const remedy = advice === undefined || message.includes(advice) ? '' : ` ${advice}`;
  const words = level === 'ok' ? message : `${sentence(message)}${remedy}`;
  return `${labels[level].padEnd(8)}${name}: ${words}\n`;
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
