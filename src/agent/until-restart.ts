import type { Config, LoadedConfig } from '../config/config.ts';
import { Secret } from '../core/secret.ts';

/** What an agent is made of: taken over only by another start. */
const fixed = ['dataDir', 'masterKey', 'redis', 'http01', 'tlsAlpn01', 'metrics', 'roles'] as const;

/** A new configuration as a running agent can take it, and the keys whose change it cannot. */
export function untilRestart(
  next: LoadedConfig,
  running: Config,
): { readonly loaded: LoadedConfig; readonly waiting: readonly string[] } {
  const { dataDir, masterKey, redis, http01, tlsAlpn01, metrics, roles } = running;
  const config = { ...next.config, dataDir, masterKey, redis, http01, tlsAlpn01, metrics, roles };
  const waiting = fixed.filter((key) => textOf(next.config[key]) !== textOf(running[key]));
  return { loaded: { ...next, config }, waiting };
}

/** With secrets, for comparing alone. */
function textOf(value: unknown): string {
  return JSON.stringify(value, function (this: Record<string, unknown>, key, written: unknown) {
    const raw = this[key];
    return raw instanceof Secret ? raw.reveal() : written;
  });
}
