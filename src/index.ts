/** Package export ".": an agent inside another program, its certificates for a server, and the types of what it tells. */

export type { RunningAgent, SniResolver, SniResolverOptions, StartOptions } from './agent.ts';
export { createAgent, createSniResolver } from './agent.ts';
export { AgentError, type ErrorCode, errorTable, type Retry } from './core/errors.ts';
export type { Notice, NoticeKind, ServedChange } from './core/ports.ts';
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
export type { SniChange, SniStats } from './edge/sni.ts';
