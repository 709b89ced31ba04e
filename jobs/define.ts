import type { DueJob } from '../src/core/types.ts';
import type { Again } from '../src/core/wait.ts';

export const queueNames = ['commands', 'issuance', 'deploy', 'notify', 'upkeep'] as const;
export type QueueName = (typeof queueNames)[number];

/** Where each kind of due work is done. */
export const queueOf: Readonly<Record<DueJob, Exclude<QueueName, 'commands'>>> = {
  issue: 'issuance',
  deploy: 'deploy',
  remind: 'notify',
  notify: 'notify',
  upkeep: 'upkeep',
};

/**
 * Does one piece of due work. May run twice, and after a kill again. Resolves with an instant if the same job must come
 * back; all other waits are written to the due index by the handler itself. A rejection leaves the due index as it is.
 */
export type Handler = (id: string, signal: AbortSignal) => Promise<Again | undefined>;

/** Carries out one command; its answer becomes the job's return value. Rejects with AgentError. */
export type CommandHandler = (command: {
  readonly id: string;
  /** A worker that had taken the job went away. */
  readonly isRepeat?: boolean | undefined;
  readonly name: string;
  readonly data: unknown;
}) => Promise<unknown>;
