/** Package export ".": an agent inside another program, and the types of what it tells. */

export type { RunningAgent, StartOptions } from './agent.ts';
export { createAgent } from './agent.ts';
export { AgentError, type ErrorCode, errorTable, type Retry } from './core/errors.ts';
export type { Notice, NoticeKind } from './core/ports.ts';
export type {
  Certificate,
  Deployment,
  Domain,
  Event,
  EventType,
  Host,
  Lineage,
  RenewalState,
  Task,
} from './core/types.ts';
