import type { Chore } from '../../jobs/upkeep.ts';
import { dueIndexChore, refreshDue } from '../core/due-index.ts';
import type { Store } from '../store/index.ts';
import { backupDaily } from './backup.ts';
import type { AgentPorts } from './ports.ts';

const hour = 3_600_000;

/** What comes round by itself, on whichever agent takes the job. */
export function createChores(ports: AgentPorts, store: Store): Readonly<Record<string, Chore>> {
  return {
    'dns-journal': {
      everyMs: hour,
      atStart: true,
      run: async (signal) => {
        const { removed, left } = await ports.configured().dns.recover(signal);
        if (removed + left > 0) ports.log.info({ removed, left }, 'TXT records of dead orders removed');
      },
    },
    [dueIndexChore]: {
      everyMs: 24 * hour,
      atStart: true,
      run: async () => {
        const mended = await refreshDue(ports);
        if (mended > 0) ports.log.info({ mended }, 'entries of the due index were missing or too late');
      },
    },
    backup: {
      everyMs: 24 * hour,
      run: async () => {
        await backupDaily(store, ports.configured().loaded.config.dataDir, ports.clock);
        ports.log.info({}, 'backup written');
      },
    },
  };
}
