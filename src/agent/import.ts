import { resolve } from 'node:path';
import { createQueues } from '../../jobs/queue.ts';
import { registeredDomain } from '../acme/registered-domain.ts';
import { systemClock } from '../clock.ts';
import type { LoadedConfig } from '../config/config.ts';
import { readEnvironment } from '../config/load.ts';
import { AgentError } from '../core/errors.ts';
import { importFrom, type OtherClient } from '../import/import.ts';
import type { ImportItem } from '../import/report.ts';
import { createLog } from '../log.ts';
import { domainFor } from '../operations/refusals.ts';
import { createPki } from '../x509/index.ts';
import { openOthersStore } from './open.ts';

export interface ImportOptions {
  readonly from: OtherClient;
  readonly folder: string;
  /** Only what is of this issuer; what does not say of which CA it is counts as of it. */
  readonly issuer?: string | undefined;
  /** Tells what would be done. */
  readonly dryRun: boolean;
}

/** Keys go from the files into the store, sealed, past all queues. The agent may run meanwhile; with an embedded store it must. */
export async function importIntoAgent(
  loaded: LoadedConfig,
  { from, folder, issuer: only, dryRun }: ImportOptions,
): Promise<readonly ImportItem[]> {
  const { settings } = loaded;
  if (only !== undefined && !settings.issuers.includes(only))
    throw new AgentError(
      'command.notFound',
      `the configuration file defines no issuer "${only}"; it defines: ${settings.issuers.join(', ')}`,
    );
  const [clock, log] = [systemClock, createLog({ level: 'error' })];
  const { store } = await openOthersStore(loaded, { environment: readEnvironment(), clock, log });
  const connect = () => store.createConnection('wait');
  const jobs = createQueues({ connect, prefix: store.queuePrefix, log });
  try {
    return await importFrom(from, resolve(folder), {
      ...store,
      jobs,
      clock,
      dryRun,
      pki: createPki(),
      settings: () => settings,
      choice: { settings, only },
      domainFor: (names) => domainFor(names, store),
      registeredDomain,
    });
  } finally {
    await jobs.close();
    await store.close();
  }
}
