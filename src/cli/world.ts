import type {
  backupAgent,
  checkAgent,
  downloadFromAgent,
  importIntoAgent,
  openClient,
  restoreAgent,
  startAgent,
} from '../agent.ts';
import type { LoadedConfig } from '../config/config.ts';
import type { Terminal } from './print.ts';

/** What the command line needs of the rest; loaded only when a command asks for it, so that help is quick. */
export interface World {
  readonly terminal: Terminal;
  readonly load: (configOption: string | undefined) => Promise<LoadedConfig>;
  readonly agent: () => Promise<AgentFunctions>;
  /** Calls `run` at each such signal; returns the function that stops it. */
  readonly onSignal: (signal: NodeJS.Signals, run: () => void) => () => void;
}

export interface AgentFunctions {
  readonly startAgent: typeof startAgent;
  readonly openClient: typeof openClient;
  readonly checkAgent: typeof checkAgent;
  readonly backupAgent: typeof backupAgent;
  readonly restoreAgent: typeof restoreAgent;
  readonly importIntoAgent: typeof importIntoAgent;
  readonly downloadFromAgent: typeof downloadFromAgent;
}

/** Options of every command. */
export interface GlobalOptions {
  readonly config?: string | undefined;
  readonly json?: boolean | undefined;
  readonly quiet?: boolean | undefined;
}
