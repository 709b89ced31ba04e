import type { LoadedConfig } from '../config/config.ts';
import { toAgentError } from '../core/errors.ts';
import type { AdjustableLog } from '../log.ts';
import type { Agreement } from './agreement.ts';
import type { AgentPorts } from './ports.ts';
import type { Roles } from './roles.ts';
import { untilRestart } from './until-restart.ts';

export interface ReloadNeeds {
  readonly ports: Pick<AgentPorts, 'prepare' | 'use' | 'configured'>;
  readonly agreement: Pick<Agreement, 'change'>;
  readonly work: Pick<Roles, 'limit'>;
  readonly log: AdjustableLog;
}

/** The `reload` of a running agent that was started with this configuration. */
export function createReload(started: LoadedConfig, needs: ReloadNeeds) {
  return async (load: () => Promise<LoadedConfig>): Promise<void> => {
    try {
      await take(await load(), started, needs);
    } catch (error) {
      needs.log.error(reasonsOf(error), 'the configuration was not read again; the old one stays');
    }
  };
}

async function take(
  read: LoadedConfig,
  started: LoadedConfig,
  { ports, agreement, work, log }: ReloadNeeds,
): Promise<void> {
  const { loaded, waiting } = untilRestart(read, started.config);
  const next = await ports.prepare(loaded);
  try {
    await agreement.change(loaded, () => {
      ports.use(next);
      work.limit(loaded.config.concurrency);
      log.setLevel(loaded.config.log.level);
    });
  } catch (error) {
    if (ports.configured() !== next) await next.close();
    throw error;
  }
  if (waiting.length > 0)
    log.warn({ keys: waiting }, 'these keys of the configuration were changed and need a restart');
  log.info({ domains: loaded.domains.length }, 'configuration reloaded');
}

/** Mistakes in the file come one a line. */
function reasonsOf(thrown: unknown): object {
  const err = toAgentError(thrown);
  return err.code === 'bug'
    ? { err }
    : { code: err.code, reasons: err.message.split('\n'), advice: err.advice };
}
