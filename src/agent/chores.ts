import type { Chore } from '../../jobs/upkeep.ts';
import { lapsedChore, tellLapsed } from '../core/bindings/lapsed.ts';
import { lookAtTargets } from '../core/deploy/look.ts';
import { probeTargets } from '../core/deploy/probe.ts';
import { giveUpWaiting, waitingHostsChore } from '../core/on-demand/waiting.ts';
import { dnsJournalChore, releasePermanent } from '../core/order/permanent-records.ts';
import { dueIndexChore, refreshDue } from '../core/renewal/due-index.ts';
import { checkRevocations } from '../core/revocation/crl-check.ts';
import { purgeLeftovers } from '../core/wishes/purge.ts';
import { backupChore, backupSoonMs } from '../store/backup.ts';
import type { Store } from '../store/index.ts';
import { backupByItself } from './backup.ts';
import type { AgentPorts } from './ports.ts';

/** Also after each reload. */
export const contactsChore = 'contacts';

const hour = 3_600_000;

/** What comes round by itself, on whichever agent takes the job. */
export function createChores(ports: AgentPorts, store: Store): Readonly<Record<string, Chore>> {
  return {
    [dnsJournalChore]: {
      everyMs: hour,
      atStart: true,
      run: async (signal) => {
        await releasePermanent(ports);
        await ports.configured().dns.recover(signal);
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
    [contactsChore]: {
      everyMs: 24 * hour,
      atStart: true,
      run: (signal) => ports.configured().acme.tellContacts(signal),
    },
    [lapsedChore]: {
      everyMs: hour,
      firstMs: hour / 6,
      run: () => tellLapsed(ports),
    },
    [waitingHostsChore]: {
      everyMs: hour,
      firstMs: hour / 6,
      run: () => giveUpWaiting(ports),
    },
    revocations: {
      // Lists of CAs change a few times a day; a CA that revokes in a hurry says so in its renewal information.
      everyMs: 6 * hour,
      firstMs: hour / 6,
      run: (signal) => checkRevocations({ ...ports, crls: ports.configured().crls }, signal),
    },
    targets: {
      everyMs: 24 * hour,
      firstMs: hour,
      run: (signal) => lookAtTargets(ports, signal),
    },
    probes: {
      everyMs: hour,
      firstMs: hour / 4,
      run: (signal) => probeTargets(ports, signal),
    },
    retention: {
      everyMs: 24 * hour,
      firstMs: hour,
      run: () => purgeLeftovers(ports.settings().retentionMs, ports),
    },
    [backupChore]: {
      everyMs: 24 * hour,
      // The first one holds what the first minutes bring; the store asks for more of them when keys change.
      firstMs: backupSoonMs,
      run: async () => {
        await backupByItself(store, ports.configured().loaded.config.dataDir, ports.clock);
        ports.log.info({}, 'backup written');
      },
    },
  };
}
