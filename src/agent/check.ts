import { systemClock } from '../clock.ts';
import type { LoadedConfig } from '../config/config.ts';
import { readEnvironment } from '../config/load.ts';
import { isAgentError, toAgentError } from '../core/errors.ts';
import type { Clock, Log } from '../core/ports.ts';
import { deadline } from '../core/wait.ts';
import { createLog } from '../log.ts';
import type { Store } from '../store/index.ts';
import { type Configured, configure } from './configured.ts';
import { prepareDataDir } from './data-dir.ts';
import { findEmbeddedServer, isEmbedded, openOthersStore } from './open.ts';
import { createStoreless } from './storeless.ts';

/** One thing that an agent needs, and whether it is so. */
export interface CheckItem {
  readonly name: string;
  readonly ok: boolean;
  readonly message: string;
  readonly advice?: string | undefined;
}

const checkMs = 20_000;

/** Tries everything that the configuration names, changes nothing at a CA, vendor or target. Never rejects. */
export async function checkAgent(loaded: LoadedConfig): Promise<readonly CheckItem[]> {
  const needs = { clock: systemClock, log: createLog({ level: 'error' }) };
  const { domains, settings } = loaded;
  const file = passed('configuration', `${domains.length} domains, ${settings.issuers.length} issuers`);
  const folder = await item('data directory', async () => {
    await prepareDataDir(loaded.config.dataDir);
    return loaded.config.dataDir;
  });
  const { item: redis, store } = await checkStore(loaded, needs);
  const configured = await configure(loaded, {
    ...(store ?? createStoreless()),
    ...needs,
    environment: readEnvironment(),
    pluginState: () => ({ get: async () => undefined, set: async () => {} }),
  });
  try {
    return [file, folder, redis, ...(await checkOutside(configured, needs.clock))];
  } finally {
    await configured.close();
    await store?.close();
  }
}

async function checkStore(
  loaded: LoadedConfig,
  needs: { readonly clock: Clock; readonly log: Log },
): Promise<{ item: CheckItem; store?: Store }> {
  const environment = readEnvironment();
  try {
    const { store } = await openOthersStore(loaded, { ...needs, environment });
    const { facts, durableMode, redisVersion, address } = store;
    const words = `version ${redisVersion} at ${address}, maxmemory-policy ${facts.maxmemoryPolicy ?? 'unknown'}, durable by ${durableMode}`;
    return { item: passed('redis', words), store };
  } catch (error) {
    if (!isAgentError(error, 'store.notRunning') || !isEmbedded(loaded.config.redis))
      return { item: failed('redis', error) };
    const found = await item(
      'redis',
      async () => `not running; the agent will start ${await findEmbeddedServer(loaded, environment)}`,
    );
    return { item: found };
  }
}

async function checkOutside(
  { acme, dns, deployers, notifiers, loaded }: Configured,
  clock: Clock,
): Promise<readonly CheckItem[]> {
  const { config } = loaded;
  const within = (name: string, run: (signal: AbortSignal) => Promise<string>) =>
    item(name, async () => {
      const { signal, cancel } = deadline(clock, checkMs, 'the check');
      return run(signal).finally(cancel);
    });
  return Promise.all([
    ...config.issuers.map(({ name }) =>
      within(`issuer ${name}`, async (signal) => {
        const facts = await acme.check(name, signal);
        return `${facts.directoryUrl}${facts.profiles.length === 0 ? '' : `, profiles ${facts.profiles.join(' ')}`}`;
      }),
    ),
    ...config.dnsAccounts.map(({ name, zones }) =>
      within(`dns account ${name}`, async (signal) => {
        await dns.check(name, signal);
        return zones.length === 0 ? 'credentials accepted' : `zones ${zones.join(' ')}`;
      }),
    ),
    ...config.deployTargets.map(({ name }) =>
      within(`deploy target ${name}`, async (signal) => {
        await deployers.get(name).check?.(signal);
        return 'ready';
      }),
    ),
    ...notifiers.all().map((notifier) =>
      within(`notifier ${notifier.name}`, async (signal) => {
        await notifier.check?.(signal);
        return notifier.check === undefined ? 'cannot be tried without sending' : 'ready';
      }),
    ),
  ]);
}

async function item(name: string, run: () => Promise<string>): Promise<CheckItem> {
  try {
    return passed(name, await run());
  } catch (error) {
    return failed(name, error);
  }
}

function passed(name: string, message: string): CheckItem {
  return { name, ok: true, message };
}

function failed(name: string, thrown: unknown): CheckItem {
  const { message, advice } = toAgentError(thrown);
  return { name, ok: false, message, advice };
}
