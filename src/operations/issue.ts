import { z } from 'zod';
import { AgentError } from '../core/errors.ts';
import { sameNames } from '../core/names.ts';
import { plannedRefusal } from '../core/order/profile-rules.ts';
import { derivePolicies, keyClassOf, lineageId } from '../core/policies.ts';
import type { Domain, Group, NewEvent } from '../core/types.ts';
import { changeWishes, type StoredWish, type WishEdit } from '../core/wishes/reconcile.ts';
import { type Caller, defineOperation, type OperationNeeds } from './define.ts';
import { refuseTwice } from './domains.ts';
import { hostName } from './fields.ts';
import { domainFor, noSuchDomain, refuseDisabled, requireDomainFor } from './refusals.ts';
import { commandEvent, type Requested } from './renew.ts';
import { newTask, takeOver, taskIdOf } from './requests.ts';

export const issue = defineOperation({
  name: 'issue',
  kind: 'write',
  method: 'POST',
  path: '/certificates',
  scope: 'operate',
  summary: 'Keeps one certificate for these names, all of one domain, from now on.',
  input: z.strictObject({
    names: z.array(hostName).min(1).max(100).describe('Names on the certificate; the first one labels it'),
  }),
  run: async ({ names }, needs, caller): Promise<Requested> => {
    refuseTwice(names);
    const id = taskIdOf('issue', caller);
    const known = await needs.tasks.get(id);
    if (known !== undefined) return { taskId: id, lineages: known.items.map((item) => item.id) };
    const domain = await oneDomain(names, needs);
    const held = await needs.certificates.lineages(domain.name);
    const before = await needs.renewals.many(held.map((lineage) => lineage.id));
    let lineages: readonly string[] = [];
    const edit = (stored: StoredWish): WishEdit => {
      const wanted = wantedGroup(names, { domain: domain.name, stored }, needs);
      lineages = wanted.lineages;
      const task = newTask({ id, operation: 'issue', lineages }, caller, needs.clock.now());
      return {
        putGroups: wanted.isNew ? [wanted.group] : [],
        putTasks: [task],
        request: { policies: [`${domain.name}/${wanted.group.label}`], force: false, task: id },
        events: eventsOf(wanted, id, caller),
      };
    };
    await changeWishes(domain.name, edit, needs);
    await takeOver(
      before.filter(({ lineage }) => lineages.includes(lineage)),
      id,
      needs,
    );
    return { taskId: id, lineages };
  },
});

async function oneDomain(names: readonly string[], needs: OperationNeeds): Promise<Domain> {
  const domain = await domainFor(names, needs);
  if (domain !== undefined) return domain;
  const domains = new Map<string, string>();
  for (const name of names) domains.set((await requireDomainFor(name, needs)).name, name);
  throw new AgentError(
    'command.invalid',
    `${names.join(', ')} lie under different domains (${[...domains.keys()].join(', ')}); ask for one certificate a domain`,
  );
}

interface Wanted {
  readonly group: Group;
  /** false: a host or an earlier command asks for exactly these names already. */
  readonly isNew: boolean;
  readonly lineages: readonly string[];
}

function wantedGroup(
  names: readonly string[],
  { domain: name, stored }: { domain: string; stored: StoredWish },
  { settings }: OperationNeeds,
): Wanted {
  const { domain, hosts, groups } = stored;
  if (domain === undefined) throw noSuchDomain(name, []);
  refuseDisabled(domain);
  const account = settings().dnsAccounts.find((one) => one.name === domain.dnsAccount);
  const policies = derivePolicies({ domain, hosts, groups }, account);
  const same = policies.find((policy) => sameNames(policy.names, names));
  const tooMuch = plannedRefusal(names, domain, settings());
  if (tooMuch !== undefined) throw new AgentError('command.invalid', tooMuch);
  const label = same?.label ?? names[0] ?? name;
  const isRival = groups.some((group) => group.label === label);
  const isTaken = isOwn(label) && policies.some((policy) => policy.label === label);
  if (same === undefined && !isRival && isTaken)
    throw new AgentError(
      'command.conflict',
      `${label} labels the wildcard certificate of ${name} already; put another name first`,
    );
  return {
    group: { domain: name, label, names: same?.names ?? names, origin: { kind: 'runtime' } },
    isNew: same === undefined,
    lineages: domain.keyTypes.map((keyType) => lineageId(`${name}/${label}`, keyClassOf(keyType))),
  };
}

/** The label of a certificate that comes from the domain's mode; a host's label gives way to a group of that name. */
function isOwn(label: string): boolean {
  return label.startsWith('*.');
}

function eventsOf({ group, isNew, lineages }: Wanted, task: string, caller: Caller): readonly NewEvent[] {
  const { domain, label, names } = group;
  const done = { ...commandEvent('issue', { task, lineages, names }, caller), domain };
  if (!isNew) return [done];
  const facts = { change: 'group', label, names, requestedBy: caller.requestedBy };
  return [{ type: 'domain.changed', domain, facts }, done];
}
