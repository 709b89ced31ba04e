import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import type { RunChild } from '../core/child.ts';

/** Whether `run` could run this program; does not run it. `path`: the PATH that it would get, where that is another. */
export async function isProgram(
  program: string,
  { run, path }: { readonly run: RunChild; readonly path?: string | undefined },
  signal: AbortSignal,
): Promise<boolean> {
  // Some shells find whatever has a path.
  if (program.includes('/'))
    return access(program, constants.X_OK).then(
      async () => (await stat(program)).isFile(),
      () => false,
    );
  const command = ['/bin/sh', '-c', 'command -v -- "$1"', 'sh', program];
  const { code } = await run({ command, env: path === undefined ? {} : { PATH: path }, signal });
  signal.throwIfAborted();
  return code === 0;
}
