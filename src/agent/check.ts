import { stat } from 'node:fs/promises';
import { systemClock } from '../clock.ts';
import type { LoadedConfig } from '../config/config.ts';
import { readEnvironment } from '../config/load.ts';
import { AgentError } from '../core/errors.ts';
import type { Clock } from '../core/ports.ts';
import { inTime } from '../core/wait.ts';
import { createLog } from '../log.ts';
import { createMetrics } from '../metrics.ts';
import { counted } from '../operations/words.ts';
import { type CheckItem, failed, items, passed, type Said } from './check-item.ts';
import { checkListeners } from './check-listeners.ts';
import { tryProbes } from './check-probes.ts';
import { checkStore } from './check-store.ts';
import { checkWishes } from './check-wishes.ts';
import { type Configured, type ConfiguredNeeds, configure } from './configured.ts';
import { tryDataDir } from './data-dir.ts';
import { checkAllowed, checkHostPermission } from './host-permission.ts';
import { createStoreless } from './storeless.ts';

const checkMs = 20_000;

/**
 * Tries everything that the configuration names. Changes nothing on this machine, at a CA, vendor or target, and sends
 * nothing. Never rejects.
 */
export async function checkAgent(loaded: LoadedConfig): Promise<readonly CheckItem[]> {
  const clock = systemClock;
  const log = createLog({ level: 'error' });
  const needs = { clock, log, metrics: createMetrics({ clock, log }), environment: readEnvironment() };
  const { path, config, domains, settings } = loaded;
  const counts = [counted(domains.length, 'domain'), counted(settings.issuers.length, 'issuer')];
  const file = passed('configuration', `${path}, ${counts.join(', ')}`);
  const folder = await items('data directory', () => dataDirWords(config.dataDir));
  const { items: inside, store, isFree } = await checkStore(loaded, needs);
  try {
    const pluginState = () => ({ get: async () => undefined, set: async () => {} });
    const rest = await Promise.all([
      checkListeners(loaded, isFree),
      checkWishes(loaded, store),
      checkOutside(loaded, { ...(store ?? createStoreless()), ...needs, pluginState }),
    ]);
    return [file, ...folder, ...inside, ...rest.flat()];
  } finally {
    await store?.close();
  }
}

async function checkOutside(loaded: LoadedConfig, needs: ConfiguredNeeds): Promise<readonly CheckItem[]> {
  let configured: Configured;
  try {
    configured = await configure(loaded, needs);
  } catch (error) {
    return failed('plugins', error);
  }
  try {
    const checks = checksOf(configured).map((check) => carriedOut(check, needs.clock));
    return (await Promise.all(checks)).flat();
  } finally {
    await configured.close();
  }
}

interface Check {
  readonly name: string;
  run(signal: AbortSignal): Promise<Said>;
}

function checksOf({
  acme,
  dns,
  deployers,
  notifiers,
  hostPermission,
  prober,
  loaded,
}: Configured): readonly Check[] {
  const { issuers, dnsAccounts, deployTargets } = loaded.config;
  const { onDemand } = loaded.settings;
  return [
    ...issuers.map(({ name, profile }) => ({
      name: `issuer ${name}`,
      run: async (signal: AbortSignal) => {
        const { directoryUrl, profiles } = await acme.check(name, signal);
        const listed = profiles.length === 0 ? '' : `, profiles ${profiles.join(' ')}`;
        const words = `${directoryUrl}${listed}`;
        if (profile === undefined || profiles.includes(profile.name)) return words;
        return {
          warning: `${words}: it does not offer ${profile.name}, so orders do without`,
          advice: 'Choose one that it lists, or none.',
        };
      },
    })),
    ...dnsAccounts.map(({ name, zones }) => ({
      name: `DNS account ${name}`,
      run: async (signal: AbortSignal) => {
        await dns.check(name, signal);
        return zones.length === 0 ? 'ready' : `ready, zones ${zones.join(' ')}`;
      },
    })),
    ...deployTargets.map(({ name }) => ({
      name: `deploy target ${name}`,
      run: (signal: AbortSignal) => tried(deployers.get(name), signal),
    })),
    ...deployTargets
      .filter(({ probe }) => probe !== undefined)
      .map((target) => ({
        name: `probe of ${target.name}`,
        run: (signal: AbortSignal) => tryProbes(target, prober, signal),
      })),
    ...notifiers.all().map((notifier) => ({
      name: `notifier ${notifier.name}`,
      run: (signal: AbortSignal) => tried(notifier, signal),
    })),
    ...(onDemand === undefined ? [] : [onDemand]).map((rules) => ({
      name: 'onDemand.allow',
      run: async () => checkAllowed(rules),
    })),
    ...(loaded.config.hostPermission === undefined ? [] : ['onDemand.permission']).map((name) => ({
      name,
      run: (signal: AbortSignal) => checkHostPermission(hostPermission, signal),
    })),
  ];
}

async function tried(
  plugin: { check?: ((signal: AbortSignal) => Promise<void>) | undefined },
  signal: AbortSignal,
): Promise<string> {
  if (plugin.check === undefined) return 'cannot be tried without using it';
  await plugin.check(signal);
  return 'ready';
}

/** A part that does not heed its signal must not hold up the rest. */
function carriedOut({ name, run }: Check, clock: Clock): Promise<readonly CheckItem[]> {
  const late = () => new AgentError('net.failed', `no answer within ${checkMs / 1000} s`);
  return items(name, () => inTime({ clock, ms: checkMs, late }, run));
}

async function dataDirWords(path: string): Promise<string> {
  if ((await tryDataDir(path)) === 'can be made') return `${path} will be made at the first start`;
  return `${path}, mode ${((await stat(path)).mode & 0o777).toString(8)}`;
}
