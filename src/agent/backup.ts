import type { LoadedConfig } from '../config/config.ts';
import { AgentError } from '../core/errors.ts';

export async function backupAgent(_loaded: LoadedConfig, _file: string): Promise<void> {
  throw new AgentError('store.backup', 'not yet wired');
}

export async function restoreAgent(
  _loaded: LoadedConfig,
  _file: string,
  _options: { force: boolean },
): Promise<void> {
  throw new AgentError('store.backup', 'not yet wired');
}
