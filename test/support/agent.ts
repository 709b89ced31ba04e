import { execFile } from 'node:child_process';
import { hasSubscribers } from 'node:diagnostics_channel';
import { appendFileSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { stringify } from 'yaml';
import { realWorld, runCli } from '../../src/cli/main.ts';
import { pathWithServers } from './fetch/index.ts';
import { freePort } from './ports.ts';
import { type ServerProcess, startProcess, until } from './process.ts';
import { runPart, testFolder } from './run-folder.ts';

/** A folder with a configuration of its own, in which agents are started and asked as a user would. */
export interface AgentSite {
  readonly folder: string;
  readonly configFile: string;
  readonly httpPort: number;
  /** Replaces the configuration file; a running agent takes it at its next start or SIGHUP. */
  configure(config: object): void;
  /** A real process of the built program; resolves when it says that it runs. */
  start(options?: StartOptions): Promise<ServerProcess>;
  /** Runs one command of the CLI to its end, in a process of its own. */
  run(...args: readonly string[]): Promise<CliResult>;
  /** The same in this process, by the sources: quicker, for tests that are not about the program itself. */
  ask(...args: readonly string[]): Promise<CliResult>;
  /** As `ask`, with `--json`; throws what the command said when it failed. */
  json(...args: readonly string[]): Promise<unknown>;
}

export interface StartOptions {
  readonly args?: readonly string[] | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly timeoutMs?: number | undefined;
}

export interface CliResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The program as built, for those who run it in another way than `agentSite` does. */
export const main = built('src/cli/main.js');

/** Where the arguments of what this process starts are recorded, so are those of what its agents start; not in demo and bench. */
const recorder = hasSubscribers('child_process')
  ? { NODE_OPTIONS: `--import=${pathToFileURL(built('test/support/record-children.js'))}` }
  : {};

/**
 * The configuration gets a data directory and a port for HTTP-01 of its own, and no look at names, unless it says so. `program`: another
 * copy of the agent than the one that was built here.
 */
export async function agentSite(config: object, name = 'agent', program = main): Promise<AgentSite> {
  const folder = testFolder(name);
  const configFile = join(folder, 'acme-agent.yaml');
  const httpPort = await freePort();
  const env = { ...process.env, PATH: pathWithServers(), ...recorder };

  function configure(wanted: object): void {
    const base = {
      dataDir: join(folder, 'data'),
      http01: { port: httpPort, address: '127.0.0.1' },
      // The system's resolver does not know the names of tests.
      preflight: 'off',
      log: { level: 'debug' },
    };
    writeFileSync(configFile, stringify({ ...base, ...wanted }), { mode: 0o600 });
  }

  async function start(options: StartOptions = {}): Promise<ServerProcess> {
    const agent = await startProcess({
      name,
      command: [process.execPath, program, '--config', configFile, 'start', ...(options.args ?? [])],
      env: { PATH: env.PATH, ...recorder, ...options.env },
    });
    let ended = false;
    agent.exited.then(() => {
      ended = true;
    });
    const runs = () => agent.output().includes('agent started');
    await until('the agent starts', () => ended || runs(), options.timeoutMs ?? 60_000);
    if (!runs()) throw new Error(`the agent ended at its start:\n${agent.output().slice(-4000)}`);
    return agent;
  }

  function run(...args: readonly string[]): Promise<CliResult> {
    return new Promise((resolve) => {
      execFile(
        process.execPath,
        [program, '--config', configFile, ...args],
        { env, maxBuffer: 1 << 26 },
        (error, stdout, stderr) => {
          const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 255;
          resolve(recorded({ code, stdout, stderr }));
        },
      );
    });
  }

  async function ask(...args: readonly string[]): Promise<CliResult> {
    if (program !== main) return run(...args);
    const [out, err]: [string[], string[]] = [[], []];
    const terminal = {
      out: (text: string) => void out.push(text),
      err: (text: string) => void err.push(text),
      isInteractive: false,
      columns: 80,
    };
    const code = await runCli(['--config', configFile, ...args], realWorld(terminal));
    return recorded({ code, stdout: out.join(''), stderr: err.join('') });
  }

  /** For the search for secrets; what processes are started with is recorded as it is for all programs. */
  function recorded(result: CliResult): CliResult {
    const file = join(runPart('output'), `${name}-${process.pid}-commands.log`);
    appendFileSync(file, result.stdout + result.stderr, { mode: 0o600 });
    return result;
  }

  async function json(...args: readonly string[]): Promise<unknown> {
    const { code, stdout, stderr } = await ask('--json', ...args);
    if (code !== 0) throw new Error(`acme-agent ${args.join(' ')} ended with ${code}: ${stderr}${stdout}`);
    return JSON.parse(stdout);
  }

  configure(config);
  return { folder, configFile, httpPort, configure, start, run, ask, json };
}

/** Agents run as built: this file is either in the sources beside `dist`, or in `dist` itself. */
function built(file: string): string {
  const [aside = '', within = ''] = ['../../dist/', '../../'].map((folder) =>
    fileURLToPath(new URL(folder + file, import.meta.url)),
  );
  return existsSync(aside) || !existsSync(within) ? aside : within;
}
