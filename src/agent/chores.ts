import type { Chore } from '../../jobs/upkeep.ts';
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
    backup: {
      everyMs: 24 * hour,
      run: async () => {
        await backupDaily(store, ports.configured().loaded.config.dataDir, ports.clock);
        ports.log.info({}, 'backup written');
      },
    },
  };
}
