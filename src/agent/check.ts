import { stat } from 'node:fs/promises';
import { systemClock } from '../clock.ts';
import type { LoadedConfig } from '../config/config.ts';
import { readEnvironment } from '../config/load.ts';
import { AgentError } from '../core/errors.ts';
import type { Clock } from '../core/ports.ts';
import type { Settings } from '../core/types.ts';
import { strayReferences } from '../core/wishes/domain-wish.ts';
import { createLog } from '../log.ts';
import { counted } from '../operations/words.ts';
import type { Store } from '../store/index.ts';
import { type CheckItem, failed, item, passed } from './check-item.ts';
import { checkStore } from './check-store.ts';
import { type Configured, type ConfiguredNeeds, configure } from './configured.ts';
import { tryDataDir } from './data-dir.ts';
import { inTime } from './in-time.ts';
import { createStoreless } from './storeless.ts';

export type { CheckItem } from './check-item.ts';

const checkMs = 20_000;

/**
 * Tries everything that the configuration names. Changes nothing on this machine, at a CA, vendor or target, and sends
 * nothing. Never rejects.
 */
export async function checkAgent(loaded: LoadedConfig): Promise<readonly CheckItem[]> {
  const needs = {
    clock: systemClock,
    log: createLog({ level: 'error' }),
    environment: readEnvironment(),
  };
  const { path, config, domains, settings } = loaded;
  const counts = [counted(domains.length, 'domain'), counted(settings.issuers.length, 'issuer')];
  const file = passed('configuration', `${path}, ${counts.join(', ')}`);
  const folder = await item('data directory', () => dataDirWords(config.dataDir));
  const { items, store } = await checkStore(loaded, needs);
  try {
    const pluginState = () => ({ get: async () => undefined, set: async () => {} });
    const strays = store === undefined ? [] : await strayItems(store, settings);
    const outside = await checkOutside(loaded, { ...(store ?? createStoreless()), ...needs, pluginState });
    return [file, folder, ...items, ...strays, ...outside];
  } finally {
    await store?.close();
  }
}

/** Domains that commands made while the file defined what it does not any more. */
async function strayItems(store: Pick<Store, 'wishes'>, settings: Settings): Promise<readonly CheckItem[]> {
  return (await store.wishes.domains()).flatMap((domain) => {
    const missing = strayReferences(domain, settings);
    if (missing.length === 0) return [];
    const message = `names what the file does not define: ${missing.join(', ')}; the defaults stand in`;
    const advice = 'Define it in the file again, or change the domain with "acme-agent domains set".';
    return [{ name: `domain ${domain.name}`, ok: false, message, advice }];
  });
}

async function checkOutside(loaded: LoadedConfig, needs: ConfiguredNeeds): Promise<readonly CheckItem[]> {
  let configured: Configured;
  try {
    configured = await configure(loaded, needs);
  } catch (error) {
    return [failed('plugins', error)];
  }
  try {
    return await Promise.all(checksOf(configured).map((check) => carriedOut(check, needs.clock)));
  } finally {
    await configured.close();
  }
}

interface Check {
  readonly name: string;
  /** Resolves with what to say of it. */
  run(signal: AbortSignal): Promise<string>;
}

function checksOf({ acme, dns, deployers, notifiers, loaded }: Configured): readonly Check[] {
  const { issuers, dnsAccounts, deployTargets } = loaded.config;
  return [
    ...issuers.map(({ name, profile }) => ({
      name: `issuer ${name}`,
      run: async (signal: AbortSignal) => {
        const { directoryUrl, profiles } = await acme.check(name, signal);
        const listed = profiles.length === 0 ? '' : `, profiles ${profiles.join(' ')}`;
        const isMissing = profile !== undefined && !profiles.includes(profile.name);
        return `${directoryUrl}${listed}${isMissing ? ` (orders do without ${profile.name})` : ''}`;
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
    ...notifiers.all().map((notifier) => ({
      name: `notifier ${notifier.name}`,
      run: (signal: AbortSignal) => tried(notifier, signal),
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
function carriedOut({ name, run }: Check, clock: Clock): Promise<CheckItem> {
  const late = () => new AgentError('net.failed', `no answer within ${checkMs / 1000} s`);
  return item(name, () => inTime({ clock, ms: checkMs, late }, run));
}

async function dataDirWords(path: string): Promise<string> {
  if ((await tryDataDir(path)) === 'can be made') return `${path} will be made at the first start`;
  return `${path}, mode ${((await stat(path)).mode & 0o777).toString(8)}`;
}
