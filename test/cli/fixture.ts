import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCli } from '../../src/cli/main.ts';
import type { Terminal } from '../../src/cli/print.ts';
import type { AgentFunctions, World } from '../../src/cli/world.ts';
import type { LoadedConfig } from '../../src/config/config.ts';
import { loadConfig } from '../../src/config/load.ts';
import type { Task } from '../../src/core/types.ts';
import type { OperationsClient } from '../../src/operations/define.ts';
import { testFolder } from '../support/run-folder.ts';

export const now = Date.UTC(2026, 10, 20, 12);
export const day = 86_400_000;

export interface TestTerminal extends Terminal {
  readonly stdout: () => string;
  readonly stderr: () => string;
}

export function createTerminal(screen: { isInteractive?: boolean; columns?: number } = {}): TestTerminal {
  let out = '';
  let err = '';
  return {
    isInteractive: screen.isInteractive ?? false,
    columns: screen.columns ?? 80,
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    stdout: () => out,
    stderr: () => err,
  };
}

/** What the command line asked of the agent, and what came of it. */
export interface Session {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly asked: readonly { readonly operation: string; readonly input: unknown }[];
  readonly closed: boolean;
}

export interface Script {
  /** Answer of the agent to each operation; an error is thrown. */
  readonly answer?: unknown;
  /** By name of the operation, where several are asked for. */
  readonly answers?: Readonly<Record<string, unknown>>;
  /** States of the task that is followed; the last one stays. */
  readonly states?: readonly Task[];
  readonly agent?: Partial<AgentFunctions>;
  readonly terminal?: TestTerminal;
  /** Further lines of the configuration file. */
  readonly config?: string;
  readonly onSignal?: World['onSignal'];
}

/** Runs one command line against an agent that answers by the script; the configuration file is real. */
export async function cli(argv: readonly string[], script: Script = {}): Promise<Session> {
  const terminal = script.terminal ?? createTerminal();
  const asked: { operation: string; input: unknown }[] = [];
  let closed = false;
  const client: OperationsClient = {
    async run<Input, Output>(operation: { name: string }, input: Input): Promise<Output> {
      asked.push({ operation: operation.name, input });
      if (script.answer instanceof Error) throw script.answer;
      return (script.answers?.[operation.name] ?? script.answer) as Output;
    },
    async stage(files) {
      asked.push({ operation: 'stage', input: files });
      return 'staged-1';
    },
    async follow(_id, progress, signal) {
      for (const task of script.states ?? []) {
        signal.throwIfAborted();
        progress(task);
        if (task.finishedAt !== undefined) return task;
      }
      return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    },
    async close() {
      closed = true;
    },
  };
  const world: World = {
    terminal,
    load: (file) => (file === undefined ? load(script.config) : loadConfig(file, {})),
    agent: async () => ({ ...noAgent, openClient: async () => client, ...script.agent }),
    onSignal: script.onSignal ?? (() => () => {}),
  };
  const code = await runCli(argv, world);
  return { code, stdout: terminal.stdout(), stderr: terminal.stderr(), asked, closed };
}

const issuers = 'issuers: { le: { directory: "https://ca.test/directory", agreeToTerms: true } }';

function load(text = ''): Promise<LoadedConfig> {
  const path = join(testFolder('cli'), 'acme-agent.yaml');
  writeFileSync(path, `${issuers}\n${text}\n`);
  return loadConfig(path, {});
}

const unscripted = () => Promise.reject(new Error('the script has no such answer'));

const noAgent: AgentFunctions = {
  startAgent: unscripted,
  openClient: unscripted,
  checkAgent: unscripted,
  backupAgent: unscripted,
  restoreAgent: unscripted,
  importIntoAgent: unscripted,
  downloadFromAgent: unscripted,
};

export function task(items: Task['items'], more: Partial<Task> = {}): Task {
  return { id: 'task-1', operation: 'renew-all', createdAt: now, state: 'running', items, ...more };
}
