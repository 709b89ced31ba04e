/** The composition root: puts core, store, protocol, DNS, plugins, jobs and listeners together. */

export { backupAgent, restoreAgent } from './agent/backup.ts';
export { type CheckItem, checkAgent } from './agent/check.ts';
export { openClient } from './agent/client.ts';
export { createAgent } from './agent/create.ts';
export { type ImportOptions, importIntoAgent } from './agent/import.ts';
export { type RunningAgent, type StartOptions, startAgent } from './agent/start.ts';
export type { LoadedConfig } from './config/config.ts';
export type { ImportItem } from './import/report.ts';
