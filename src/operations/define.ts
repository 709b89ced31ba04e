import type { z } from 'zod';
import type { Ports } from '../core/ports.ts';
import type { DnsProviderFacts } from '../core/provider-facts.ts';
import type { HandedIn, Task } from '../core/types.ts';
import type { ReconcileNeeds } from '../core/wishes/reconcile.ts';

/** What an operation may use. Reads run in the caller's process, writes in a worker's `command` job. */
export type OperationNeeds = ReconcileNeeds &
  Pick<
    Ports,
    | 'bindings'
    | 'hostAsks'
    | 'staging'
    | 'issuerCertificates'
    | 'issuances'
    | 'deployments'
    | 'tasks'
    | 'due'
    | 'events'
    | 'budget'
    | 'preflight'
    | 'prober'
    | 'journal'
    | 'dnsCare'
    | 'accounts'
    | 'accountChanges'
    | 'log'
  > &
  StaticNeeds & {
    /** In [0, 1). */
    readonly random: () => number;
  };

/** What there is without a store. */
export interface StaticNeeds {
  /** Those that come with the agent, and those of plugins. */
  dnsProviders(): readonly DnsProviderFacts[];
}

/** Who asked, for the audit trail; absent for local reads. */
export interface Caller {
  readonly requestedBy?: string | undefined;
  /** A command sent twice with the same key is carried out once. */
  readonly idempotencyKey?: string | undefined;
  /** A run of this command was cut off, perhaps after its writes: what is there as it asks for is its own work. */
  readonly isRepeat?: boolean | undefined;
}

/**
 * One thing that people and programs can ask for: the single definition behind the CLI, the command queue and REST.
 * `input` is a strict object schema with `.describe()` on each field; no secret goes in or out.
 */
export interface Operation<Input, Output> {
  /** `<noun>.<verb>` or one word; also the name of its BullMQ job. */
  readonly name: string;
  readonly kind: 'read' | 'write';
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** REST path with `{field}` for fields of the input. */
  readonly path: string;
  readonly scope: 'read' | 'operate' | 'admin';
  /** One sentence for help and documentation. */
  readonly summary: string;
  /** Its input is nothing to be typed: on a command line another one asks for it. */
  readonly isForPrograms?: boolean | undefined;
  readonly input: z.ZodType<Input>;
  /** As `run`, for one that needs no more than that: it is asked for without an agent. */
  runStatic?(input: Input, needs: StaticNeeds): Promise<Output>;
  /** Throws AgentError `command.*`. Work that takes longer than 10 s becomes a task and answers `{ taskId }`. */
  run(input: Input, needs: OperationNeeds, caller: Caller): Promise<Output>;
}

export type AnyOperation = Operation<unknown, unknown>;

/** A command as any BullMQ client sent it, validated. */
export interface ParsedCommand {
  readonly operation: AnyOperation;
  readonly input: unknown;
  readonly caller: Caller;
}

/** Answer of a write that goes on in the background. */
export interface TaskStarted {
  readonly taskId: string;
}

export function defineOperation<Input, Output>(
  operation: Operation<Input, Output>,
): Operation<Input, Output> {
  return operation;
}

/** For what needs no store. */
export function defineStaticOperation<Input, Output>(
  operation: Omit<Operation<Input, Output>, 'run'> & Required<Pick<Operation<Input, Output>, 'runStatic'>>,
): Operation<Input, Output> {
  return { ...operation, run: operation.runStatic };
}

/**
 * How the CLI (and later REST) reaches operations: reads on the store, writes through the command queue.
 * Both reject with AgentError; `command` waits for the answer of the worker, at most `timeoutMs`.
 */
export interface OperationsClient {
  run<Input, Output>(operation: Operation<Input, Output>, input: Input): Promise<Output>;
  /** Resolves with the id under which a command names the files: no key goes through a queue. */
  stage(files: HandedIn): Promise<string>;
  /** Follows a task until it is finished, calling `progress` at each change. */
  follow(taskId: string, progress: (task: Task) => void, signal: AbortSignal): Promise<Task>;
  close(): Promise<void>;
}
