import type { LoadedConfig } from '../config/config.ts';
import { AgentError, isAgentError, toAgentError } from '../core/errors.ts';
import type { Task } from '../core/types.ts';
import { parseInput } from '../operations/command.ts';
import type { AnyOperation, OperationsClient } from '../operations/define.ts';
import { dnsDoctor } from '../operations/dns-doctor.ts';
import { dnsGc, type GcAnswer } from '../operations/dns-gc.ts';
import { shapeOf, spellingOf } from './arguments.ts';
import { renderDoctor } from './doctor.ts';
import { type ExitCode, errorText, exitCodeOf, exitCodes } from './exit.ts';
import { discardListed, type GcOptions, gcOptions } from './gc.ts';
import { json } from './print.ts';
import { createProgress } from './progress.ts';
import { exitOf, renderIds, renderText } from './render.ts';
import { staticNeeds } from './static-needs.ts';
import { renderOutcome } from './task.ts';
import type { GlobalOptions, World } from './world.ts';

/** Operations whose work goes on in a task that `--wait` follows. */
export const waitable: ReadonlySet<string> = new Set(['issue', 'renew', 'renew-all', 'retry', 'revoke']);

/** Operations whose answer is the end of their task. */
const followed: ReadonlyMap<string, (task: Task) => string> = new Map([[dnsDoctor.name, renderDoctor]]);

/** Options of the command line beside those of the operation. */
export const ownOptions: ReadonlyMap<string, readonly (readonly [syntax: string, summary: string])[]> =
  new Map([[dnsGc.name, gcOptions]]);

export interface RunOptions extends GcOptions {
  readonly wait?: boolean | undefined;
}

/** Asks the agent for one operation and prints the answer. */
export async function runOperation(
  operation: AnyOperation,
  { input, options }: { input: unknown; options: RunOptions },
  world: World,
): Promise<ExitCode> {
  const parsed = checked(operation, input, world);
  if (parsed === undefined) return exitCodes.usage;
  if (operation.runStatic !== undefined) return runStatic(operation, { input: parsed.input, options }, world);
  return withClient(options, world, async (client) => {
    const answer = await client.run(operation, parsed.input).catch((error: unknown) => {
      throw respelled(error, operation);
    });
    const rendered = followed.get(operation.name);
    const taskId = options.wait === true || rendered !== undefined ? taskOf(answer) : undefined;
    if (taskId !== undefined) return await waitFor(taskId, { client, options, rendered }, world);
    if (operation.name === dnsGc.name && options.delete === true)
      return await discardListed(answer as GcAnswer, { client, options }, world);
    world.terminal.out(render(operation.name, answer, options));
    return exitOf(operation.name, answer);
  });
}

/** Without an agent, and also where the configuration file is not there yet, or not right. */
async function runStatic(
  operation: AnyOperation,
  { input, options }: { input: unknown; options: RunOptions },
  world: World,
): Promise<ExitCode> {
  const loaded = await world.load(options.config).catch(() => undefined);
  try {
    const answer = await operation.runStatic?.(input, await staticNeeds(loaded));
    world.terminal.out(render(operation.name, answer, options));
    return exitCodes.ok;
  } catch (error) {
    world.terminal.err(errorText(error));
    return exitCodeOf(toAgentError(error));
  }
}

/** Input that cannot be right is a mistake on the command line; nothing is asked of the agent. */
function checked(
  operation: AnyOperation,
  input: unknown,
  { terminal }: World,
): { input: unknown } | undefined {
  try {
    return { input: parseInput(operation, input, spellingOf(shapeOf(operation))) };
  } catch (error) {
    terminal.err(errorText(error));
    return undefined;
  }
}

/** A refusal that begins with the field it is about, in the spelling of the command line. */
function respelled(error: unknown, operation: AnyOperation): unknown {
  if (!isAgentError(error, 'command.invalid')) return error;
  const spelling = spellingOf(shapeOf(operation));
  const message = error.message.replace(/^\w+(?=: )/, (field) => spelling.field([field]));
  return new AgentError(error.code, message);
}

/** Loads the configuration, opens the client and closes it again; errors become text and an exit code. */
export async function withClient(
  options: GlobalOptions,
  world: World,
  use: (client: OperationsClient) => Promise<ExitCode>,
): Promise<ExitCode> {
  return reported(
    world,
    async (loaded) => {
      const { openClient } = await world.agent();
      const client = await openClient(loaded);
      try {
        return await use(client);
      } finally {
        await client.close();
      }
    },
    options,
  );
}

export interface ReportedOptions extends GlobalOptions {
  /** Tells what was thrown; default: as text. */
  readonly tell?: ((error: AgentError) => void) | undefined;
}

/** Runs `work` with the configuration; what it throws is printed, with the stack only at log level debug. */
export async function reported(
  world: World,
  work: (loaded: LoadedConfig) => Promise<ExitCode>,
  { config, tell }: ReportedOptions,
): Promise<ExitCode> {
  let debug = false;
  try {
    const loaded = await world.load(config);
    debug = loaded.config.log.level === 'debug';
    return await work(loaded);
  } catch (thrown) {
    const error = toAgentError(thrown);
    if (tell === undefined) world.terminal.err(errorText(thrown, { debug }));
    else tell(error);
    return exitCodeOf(error);
  }
}

async function waitFor(
  taskId: string,
  {
    client,
    options,
    rendered = renderOutcome,
  }: { client: OperationsClient; options: RunOptions; rendered?: ((task: Task) => string) | undefined },
  world: World,
): Promise<ExitCode> {
  const { terminal } = world;
  const progress = options.quiet === true ? undefined : createProgress(terminal);
  const interrupted = new AbortController();
  const forget = world.onSignal('SIGINT', () => interrupted.abort());
  try {
    const task = await client.follow(taskId, (now) => progress?.update(now), interrupted.signal);
    progress?.end();
    terminal.out(outcome(task, rendered, options));
    return task.state === 'failed' ? exitCodes.unfinished : exitCodes.ok;
  } catch (error) {
    progress?.end();
    if (!interrupted.signal.aborted) throw error;
    terminal.err(`acme-agent: no longer waiting; the task goes on: acme-agent task show ${taskId}\n`);
    return exitCodes.failed;
  } finally {
    forget();
  }
}

export function render(name: string, answer: unknown, { json: asJson, quiet }: GlobalOptions): string {
  if (asJson === true) return json(answer);
  return quiet === true ? renderIds(name, answer) : renderText(name, answer);
}

function outcome(
  task: Task,
  rendered: (task: Task) => string,
  { json: asJson, quiet }: GlobalOptions,
): string {
  if (asJson === true) return json(task);
  return quiet === true ? '' : rendered(task);
}

function taskOf(answer: unknown): string | undefined {
  if (!(answer instanceof Object) || !('taskId' in answer)) return undefined;
  return typeof answer.taskId === 'string' ? answer.taskId : undefined;
}
