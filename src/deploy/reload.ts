import type { RunChild } from '../core/child.ts';
import type { Secret } from '../core/secret.ts';
import { runTargetProgram, type TargetProgram, tryTargetProgram } from './program.ts';

export interface ReloadCommand {
  /** Name of the target, for messages. */
  readonly target: string;
  /** Program and arguments; no shell. */
  readonly command: readonly string[];
  readonly timeoutMs: number;
  readonly env: Readonly<Record<string, Secret<string>>>;
}

/** Runs the command once; throws `deploy.reload` with its last lines unless it ends with exit code 0, or the signal's reason. */
export async function runReload(reload: ReloadCommand, run: RunChild, signal: AbortSignal): Promise<void> {
  await runTargetProgram(programOf(reload), run, { signal });
}

/** Throws `deploy.reload` unless the program is there to be run; does not run it. */
export async function tryReload(reload: ReloadCommand, run: RunChild, signal: AbortSignal): Promise<void> {
  const advice = 'Install it, or correct "reload" of the target.';
  await tryTargetProgram(programOf(reload), { run, advice, purpose: 'of the reload of' }, signal);
}

function programOf(reload: ReloadCommand): TargetProgram {
  const what = `reload "${reload.command.join(' ')}" of ${reload.target}`;
  return { ...reload, what, code: 'deploy.reload' };
}
