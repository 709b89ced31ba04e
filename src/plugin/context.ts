import type { Http } from '../core/http.ts';
import type { Clock, Log } from '../core/ports.ts';
import type { Secret } from '../core/secret.ts';

/** What a plugin gets of the world. It opens nothing by itself. */
export interface PluginContext {
  /** Name of the account, target or notifier in the configuration file. */
  readonly name: string;
  readonly http: Http;
  readonly run: RunChild;
  readonly state: PluginState;
  readonly resolver: Resolver;
  readonly clock: Clock;
  readonly log: Log;
}

export interface ChildRequest {
  /** Program and arguments; no shell. No secret here: other users can read arguments. */
  readonly command: readonly string[];
  /** The whole environment beside PATH, HOME and TMPDIR. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly input?: string | Uint8Array | undefined;
  readonly cwd?: string | undefined;
  /** Default 60 s; then the whole process group is killed. */
  readonly timeoutMs?: number | undefined;
  /** Masked in the captured output. */
  readonly secrets?: readonly Secret<string>[] | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface ChildResult {
  /** Exit code; undefined when killed. */
  readonly code: number | undefined;
  readonly timedOut: boolean;
  /** Last 64 KiB of each, secrets masked. */
  readonly stdout: string;
  readonly stderr: string;
}

/** Resolves for every way a program can end; rejects when it cannot be started. */
export type RunChild = (request: ChildRequest) => Promise<ChildResult>;

/** Small values that a plugin keeps between calls and processes, encrypted in the store. */
export interface PluginState {
  get(key: string): Promise<string | undefined>;
  set(key: string, value: string): Promise<void>;
}

export interface Resolver {
  addresses(host: string, signal?: AbortSignal): Promise<readonly string[]>;
  txt(name: string, signal?: AbortSignal): Promise<readonly string[]>;
}
