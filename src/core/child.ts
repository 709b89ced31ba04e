/** Programs run by this one, as it and its plugins see them. */

import type { Secret } from './secret.ts';

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
