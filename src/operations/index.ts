import { accountDeactivate, accountList, accountRollover, accountShow } from './accounts.ts';
import { ack } from './ack.ts';
import { bind, unbind } from './bind.ts';
import { bindingsList } from './bindings.ts';
import { budget } from './budget.ts';
import { certsList, certsShow } from './certs.ts';
import { certsAdd } from './certs-add.ts';
import { certsPurge } from './certs-purge.ts';
import { certsRemove } from './certs-remove.ts';
import { certsRollback } from './certs-rollback.ts';
import type { AnyOperation } from './define.ts';
import { dnsDoctor } from './dns-doctor.ts';
import { dnsDiscard, dnsGc } from './dns-gc.ts';
import { dnsPending } from './dns-pending.ts';
import { domainsAdd, domainsList, domainsRemove, domainsSet, domainsShow } from './domains.ts';
import { hostsAdd, hostsList, hostsRemove } from './hosts.ts';
import { issue } from './issue.ts';
import { preflight } from './preflight.ts';
import { probe } from './probe.ts';
import { providersList, providersShow } from './providers.ts';
import { renew } from './renew.ts';
import { renewAll } from './renew-all.ts';
import { retry } from './retry.ts';
import { revoke } from './revoke.ts';
import { taskList, taskShow } from './tasks.ts';
import { why } from './why.ts';

/** The table: everything that can be asked of an agent, for CLI, command queue and REST alike. */
export const operations: readonly AnyOperation[] = [
  domainsList,
  domainsShow,
  domainsAdd,
  domainsSet,
  domainsRemove,
  hostsList,
  hostsAdd,
  hostsRemove,
  certsList,
  certsShow,
  certsAdd,
  certsRollback,
  certsRemove,
  certsPurge,
  bindingsList,
  bind,
  unbind,
  issue,
  renew,
  renewAll,
  retry,
  revoke,
  budget,
  accountList,
  accountShow,
  accountRollover,
  accountDeactivate,
  why,
  preflight,
  probe,
  dnsDoctor,
  dnsPending,
  dnsGc,
  dnsDiscard,
  providersList,
  providersShow,
  ack,
  taskShow,
  taskList,
];

const byName = new Map(operations.map((operation) => [operation.name, operation]));

export function findOperation(name: string): AnyOperation | undefined {
  return byName.get(name);
}
