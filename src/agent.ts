/**
 * The composition root: puts core, store, protocol, DNS, plugins, jobs and listeners together. Each way in is loaded when
 * it is taken: a command needs few of the parts, and somebody waits for it.
 */

import type { CheckItem } from './agent/check-item.ts';
import type { Downloaded, DownloadOptions } from './agent/download.ts';
import type { ImportOptions } from './agent/import.ts';
import type { SniResolver, SniResolverOptions } from './agent/sni.ts';
import type { RunningAgent, StartOptions } from './agent/start.ts';
import type { LoadedConfig } from './config/config.ts';
import type { ImportItem } from './import/report.ts';
import type { OperationsClient } from './operations/define.ts';

export type {
  CheckItem,
  Downloaded,
  DownloadOptions,
  ImportItem,
  ImportOptions,
  LoadedConfig,
  RunningAgent,
  SniResolver,
  SniResolverOptions,
  StartOptions,
};

export async function startAgent(loaded: LoadedConfig, options?: StartOptions): Promise<RunningAgent> {
  const part = await import('./agent/start.ts');
  return part.startAgent(loaded, options);
}

/** An agent inside a program of one's own, as `acme-agent start` runs it. Rejects with AgentError, every mistake of the file at once. */
export async function createAgent(
  options: StartOptions & { readonly configFile: string },
): Promise<RunningAgent> {
  const { loadConfig, readEnvironment } = await import('./config/load.ts');
  return startAgent(await loadConfig(options.configFile, readEnvironment().variables), options);
}

/** Certificates of the store for a Node server, by server name. */
export async function createSniResolver(options: SniResolverOptions): Promise<SniResolver> {
  const part = await import('./agent/sni.ts');
  return part.createSniResolver(options);
}

export async function openClient(loaded: LoadedConfig): Promise<OperationsClient> {
  const part = await import('./agent/client.ts');
  return part.openClient(loaded);
}

export async function checkAgent(loaded: LoadedConfig): Promise<readonly CheckItem[]> {
  const part = await import('./agent/check.ts');
  return part.checkAgent(loaded);
}

export async function backupAgent(loaded: LoadedConfig, file: string): Promise<void> {
  const part = await import('./agent/backup.ts');
  return part.backupAgent(loaded, file);
}

export async function restoreAgent(
  loaded: LoadedConfig,
  file: string,
  options: { readonly force: boolean },
): Promise<void> {
  const part = await import('./agent/backup.ts');
  return part.restoreAgent(loaded, file, options);
}

export async function importIntoAgent(
  loaded: LoadedConfig,
  options: ImportOptions,
): Promise<readonly ImportItem[]> {
  const part = await import('./agent/import.ts');
  return part.importIntoAgent(loaded, options);
}

export async function downloadFromAgent(loaded: LoadedConfig, options: DownloadOptions): Promise<Downloaded> {
  const part = await import('./agent/download.ts');
  return part.downloadFromAgent(loaded, options);
}
