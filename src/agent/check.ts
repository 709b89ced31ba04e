import { systemClock } from '../clock.ts';
import type { LoadedConfig } from '../config/config.ts';
import { readEnvironment } from '../config/load.ts';
import { AgentError } from '../core/errors.ts';
import type { Clock } from '../core/ports.ts';
import { createLog } from '../log.ts';
import { type CheckItem, failed, item, passed } from './check-item.ts';
import { checkStore } from './check-store.ts';
import { type Configured, type ConfiguredNeeds, configure } from './configured.ts';
import { tryDataDir } from './data-dir.ts';
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
  const { config, domains, settings } = loaded;
  const file = passed(
    'configuration',
    `${counted(domains.length, 'domain')}, ${counted(settings.issuers.length, 'issuer')}`,
  );
  const folder = await item('data directory', async () => {
    const state = await tryDataDir(config.dataDir);
    return state === 'exists' ? config.dataDir : `${config.dataDir} will be made at the first start`;
  });
  const { items, store } = await checkStore(loaded, needs);
  try {
    const pluginState = () => ({ get: async () => undefined, set: async () => {} });
    const outside = await checkOutside(loaded, { ...(store ?? createStoreless()), ...needs, pluginState });
    return [file, folder, ...items, ...outside];
  } finally {
    await store?.close();
  }
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
    ...issuers.map(({ name }) => ({
      name: `issuer ${name}`,
      run: async (signal: AbortSignal) => {
        const { directoryUrl, profiles } = await acme.check(name, signal);
        return `${directoryUrl}${profiles.length === 0 ? '' : `, profiles ${profiles.join(' ')}`}`;
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
  return item(name, async () => {
    const controller = new AbortController();
    let cancel = () => {};
    const late = new Promise<never>((_, reject) => {
      cancel = clock.after(checkMs, () => {
        const error = new AgentError('net.failed', `no answer within ${checkMs / 1000} s`);
        controller.abort(error);
        reject(error);
      });
    });
    return Promise.race([run(controller.signal), late]).finally(() => cancel());
  });
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
