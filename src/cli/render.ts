import { accountDeactivate, accountList, accountRollover, accountShow } from '../operations/accounts.ts';
import { ack } from '../operations/ack.ts';
import { bind, unbind } from '../operations/bind.ts';
import { bindingsList } from '../operations/bindings.ts';
import { budget } from '../operations/budget.ts';
import { certsList, certsShow } from '../operations/certs.ts';
import { certsAdd } from '../operations/certs-add.ts';
import { certsPurge } from '../operations/certs-purge.ts';
import { certsRemove } from '../operations/certs-remove.ts';
import { certsRollback } from '../operations/certs-rollback.ts';
import type { Operation } from '../operations/define.ts';
import { dnsDoctor } from '../operations/dns-doctor.ts';
import { dnsGc } from '../operations/dns-gc.ts';
import { dnsPending } from '../operations/dns-pending.ts';
import { domainsAdd, domainsList, domainsRemove, domainsSet, domainsShow } from '../operations/domains.ts';
import { hostsAdd, hostsList, hostsRemove } from '../operations/hosts.ts';
import { issue } from '../operations/issue.ts';
import { preflight } from '../operations/preflight.ts';
import { probe } from '../operations/probe.ts';
import { providersList, providersShow } from '../operations/providers.ts';
import { type Requested, renew } from '../operations/renew.ts';
import { renewAll } from '../operations/renew-all.ts';
import { retry } from '../operations/retry.ts';
import { revoke } from '../operations/revoke.ts';
import { type TaskCounts, taskList, taskShow } from '../operations/tasks.ts';
import { why } from '../operations/why.ts';
import { counted, exact, listed, relative } from '../operations/words.ts';
import { renderAccount, renderAccounts } from './account.ts';
import { renderBudget } from './budget.ts';
import { renderCertificate } from './certificate.ts';
import { renderBindings, renderCertificates } from './certificate-list.ts';
import { renderPending } from './dns.ts';
import { ownerOf, renderDomain } from './domain.ts';
import { type ExitCode, exitCodes } from './exit.ts';
import { renderGc } from './gc.ts';
import { openIssuers, renderPreflight } from './preflight.ts';
import { table } from './print.ts';
import { amissAddresses, probeExit, renderProbe } from './probe.ts';
import { renderProvider } from './providers.ts';
import { renderTask } from './task.ts';

interface Rendering<Output> {
  /** For people. */
  text(answer: Output): string;
  /** For `--quiet`: ids or names, one a line. */
  ids(answer: Output): readonly string[];
  /** Where the answer says no; default: always done. */
  exit?(answer: Output): ExitCode;
}

type Entry = readonly [name: string, rendering: Rendering<unknown>];

function rendering<Output>(operation: Operation<unknown, Output>, how: Rendering<Output>): Entry {
  return [operation.name, how];
}

const renderings = new Map<string, Rendering<unknown>>([
  rendering(domainsList, {
    text: ({ domains }) =>
      table(
        ['DOMAIN', 'MODE', 'ISSUERS', 'CHALLENGE', 'DEPLOY', 'OWNER'],
        domains.map((domain) => [
          domain.name,
          domain.mode,
          domain.issuers.join(','),
          domain.challenge ?? 'auto',
          domain.deploy.join(',') || '-',
          domain.disabledAt === undefined ? ownerOf(domain.origin) : 'disabled',
        ]),
      ),
    ids: ({ domains }) => domains.map(({ name }) => name),
  }),
  rendering(domainsShow, { text: renderDomain, ids: ({ hosts }) => hosts.map(({ name }) => name) }),
  rendering(domainsAdd, {
    text: ({ domain, certificates }) => `added ${domain}${certificatesOf(certificates)}\n`,
    ids: ({ domain }) => [domain],
  }),
  rendering(domainsSet, {
    text: ({ domain, certificates }) => `changed ${domain}${certificatesOf(certificates)}\n`,
    ids: ({ domain }) => [domain],
  }),
  rendering(domainsRemove, {
    text: ({ removed }) => `removed ${removed}; its certificates stay\n`,
    ids: ({ removed }) => [removed],
  }),
  rendering(hostsList, {
    text: ({ hosts, asOf }) =>
      table(
        ['HOST', 'DOMAIN', 'EXPIRES', 'STATE', 'CERTIFICATE'],
        hosts.map(({ name, domain, certificate }) => [
          name,
          domain,
          certificate?.expiresAt === undefined ? '-' : relative(certificate.expiresAt, asOf),
          certificate?.state ?? '-',
          certificate?.id ?? '-',
        ]),
      ),
    ids: ({ hosts }) => hosts.map(({ name }) => name),
  }),
  rendering(hostsAdd, {
    text: ({ added, certificates }) => `added ${added.join(', ')}${certificatesOf(certificates)}\n`,
    ids: ({ added }) => added,
  }),
  rendering(hostsRemove, {
    text: ({ removed }) => `removed ${removed.join(', ')}\n`,
    ids: ({ removed }) => removed,
  }),
  rendering(certsList, {
    text: renderCertificates,
    ids: ({ certificates }) => certificates.map(({ id }) => id),
  }),
  rendering(certsShow, { text: renderCertificate, ids: ({ lineage }) => [lineage.id] }),
  rendering(certsAdd, {
    text: ({ id, names, generation, expiresAt, isOld, notes }) => {
      const what = isOld === true ? 'is there already' : `generation ${generation}`;
      const lines = [`${id}: ${what}, for ${listed(names)}, valid until ${exact(expiresAt)}`, ...notes];
      return lines.map((line) => `${line}\n`).join('');
    },
    ids: ({ id }) => [id],
  }),
  rendering(certsRollback, {
    text: ({ id, from, to, serial, expiresAt, heldUntil }) => {
      const rest =
        heldUntil === undefined
          ? ''
          : `; it is not renewed before ${exact(heldUntil)}, but by "renew ${id} --force"`;
      return `${id} is back from generation ${from} to ${to} (serial ${serial}, valid until ${exact(expiresAt)})${rest}\n`;
    },
    ids: ({ id }) => [id],
  }),
  rendering(certsRemove, { text: ({ removed }) => `deleted ${removed}\n`, ids: ({ removed }) => [removed] }),
  rendering(bindingsList, { text: renderBindings, ids: ({ bindings }) => bindings.map(({ name }) => name) }),
  rendering(bind, {
    text: ({ binding: { name, certificates }, replaced }) =>
      `bound ${name} to ${certificates.join(' and ')}${replaced === undefined ? '' : `, in place of ${replaced.join(' and ')}`}\n`,
    ids: ({ binding }) => [binding.name],
  }),
  rendering(unbind, {
    text: ({ unbound }) => `unbound ${unbound.join(', ')}\n`,
    ids: ({ unbound }) => unbound,
  }),
  rendering(certsPurge, {
    text: ({ purged, kept, dryRun }) => {
      const gone = purged.map(({ id }) => `${dryRun ? 'would delete' : 'deleted'} ${id}\n`);
      const rest = kept.map(({ id, reason }) => `kept ${id}: ${reason}\n`);
      return [...gone, ...rest].join('') || 'nothing to delete\n';
    },
    ids: ({ purged }) => purged.map(({ id }) => id),
  }),
  rendering(issue, { text: asked, ids: ({ taskId }) => [taskId] }),
  rendering(renew, { text: asked, ids: ({ taskId }) => [taskId] }),
  rendering(retry, { text: asked, ids: ({ taskId }) => [taskId] }),
  rendering(revoke, {
    text: ({ taskId, revoking }) => {
      const all = revoking.map(({ lineage, generation }) => `${lineage} (generation ${generation})`);
      return `to be revoked: ${all.join(', ')} as ${followUp(taskId)}`;
    },
    ids: ({ taskId }) => [taskId],
  }),
  rendering(accountList, {
    text: renderAccounts,
    ids: ({ accounts }) => accounts.map(({ issuer }) => issuer),
  }),
  rendering(accountShow, { text: renderAccount, ids: ({ account }) => [account.issuer] }),
  rendering(accountRollover, {
    text: ({ account: { issuer, thumbprint } }) =>
      `the account at ${issuer} has a new key, with the thumbprint ${thumbprint}\n`,
    ids: ({ account }) => [account.issuer],
  }),
  rendering(accountDeactivate, {
    text: ({ account: { issuer, url } }) => `the account ${url} at ${issuer} is closed for good\n`,
    ids: ({ account }) => [account.issuer],
  }),
  rendering(budget, { text: renderBudget, ids: ({ issuers }) => issuers.map(({ issuer }) => issuer) }),
  rendering(renewAll, {
    text: ({ taskId, lineages, plan = [], asOf }) => {
      if (lineages === 0) return 'nothing to renew: no certificate is due, failing or not as wanted\n';
      if (taskId !== undefined) return `${counted(lineages, 'certificate')} to renew as ${followUp(taskId)}`;
      const steps = plan.map(({ lineage, expiresAt, reason, readyAt, limit }, index) => [
        String(index + 1),
        lineage,
        expiresAt === undefined ? '-' : relative(expiresAt, asOf),
        reason,
        limit === undefined ? 'now' : `${relative(readyAt, asOf)}: ${limit}`,
      ]);
      const sum = `${counted(lineages, 'certificate')} would be renewed in this order; nothing was changed\n`;
      return `${table(['', 'CERTIFICATE', 'EXPIRES', 'REASON', 'ORDER'], steps)}${sum}`;
    },
    ids: ({ taskId, plan = [] }) => (taskId === undefined ? plan.map(({ lineage }) => lineage) : [taskId]),
  }),
  rendering(why, {
    text: ({ lines }) => lines.map((line) => `${line}\n`).join(''),
    ids: ({ host }) => [host],
    exit: ({ unknown }) =>
      unknown?.reason === 'no-domain' || unknown?.reason === 'no-host' ? exitCodes.refused : exitCodes.ok,
  }),
  rendering(dnsDoctor, { text: ({ taskId }) => followUp(taskId), ids: ({ taskId }) => [taskId] }),
  rendering(dnsGc, {
    text: renderGc,
    ids: ({ leftovers }) => leftovers.map(({ name, value }) => `${name} ${value}`),
  }),
  rendering(dnsPending, {
    text: ({ records, asOf }) =>
      records.length === 0 ? 'no record waits for a person\n' : renderPending(records, asOf),
    ids: ({ records }) => records.map(({ record }) => record),
  }),
  rendering(providersList, {
    text: ({ providers }) =>
      table(
        ['PROVIDER', 'WHAT IT IS'],
        providers.map(({ name, title }) => [name, title]),
      ),
    ids: ({ providers }) => providers.map(({ name }) => name),
  }),
  rendering(providersShow, {
    text: ({ provider }) => renderProvider(provider),
    ids: ({ provider }) => provider.options.map(({ name }) => name),
  }),
  rendering(probe, { text: renderProbe, ids: amissAddresses, exit: probeExit }),
  rendering(preflight, { text: renderPreflight, ids: openIssuers }),
  rendering(ack, {
    text: ({ lineages, silencedUntil }) =>
      `reminders are silent until ${exact(silencedUntil)} for ${lineages.join(', ')}\n`,
    ids: ({ lineages }) => lineages,
  }),
  rendering(taskShow, {
    text: ({ task, asOf }) => renderTask(task, asOf),
    ids: ({ task }) => [task.id],
  }),
  rendering(taskList, {
    text: ({ tasks, asOf }) =>
      table(
        ['ID', 'OPERATION', 'STARTED', 'STATE', 'PROGRESS'],
        tasks.map(({ id, operation, createdAt, state, counts }) => [
          id,
          operation,
          relative(createdAt, asOf),
          state,
          progressOf(counts),
        ]),
      ),
    ids: ({ tasks }) => tasks.map(({ id }) => id),
  }),
]);

/** The answer of an operation as text for a person. */
export function renderText(operation: string, answer: unknown): string {
  return renderings.get(operation)?.text(answer) ?? '';
}

/** What `--quiet` leaves of it. */
export function renderIds(operation: string, answer: unknown): string {
  const ids = renderings.get(operation)?.ids(answer) ?? [];
  return ids.map((id) => `${id}\n`).join('');
}

/** What the shell gets with the answer: there may be no such thing as was asked about, though there are words for it. */
export function exitOf(operation: string, answer: unknown): ExitCode {
  return renderings.get(operation)?.exit?.(answer) ?? exitCodes.ok;
}

function asked({ taskId, lineages }: Requested): string {
  return `asked for ${lineages.join(', ')} as ${followUp(taskId)}`;
}

function followUp(taskId: string): string {
  return `${taskId}; see how it goes with: acme-agent task show ${taskId}\n`;
}

function certificatesOf(ids: readonly string[]): string {
  return ids.length === 0 ? '' : `, with ${counted(ids.length, 'certificate')}: ${listed(ids)}`;
}

function progressOf({ total, waiting, failed }: TaskCounts): string {
  return `${total - waiting}/${total}${failed > 0 ? `, ${failed} failed` : ''}`;
}
