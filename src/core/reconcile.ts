import { AgentError } from './errors.ts';
import { isUnder } from './names.ts';
import { dueOfLineage } from './next-action.ts';
import { pointOf } from './outcome.ts';
import { derivePolicies, keyClassOf, lineageId, type Wish, wantedOf } from './policies.ts';
import type { Change, Ports } from './ports.ts';
import { deploymentId, freshRenewal } from './records.ts';
import type {
  Certificate,
  Domain,
  DueEntry,
  Group,
  Host,
  Instant,
  Lineage,
  LineageId,
  NewEvent,
  Policy,
  RenewalState,
  Settings,
  Task,
  WantedSpec,
} from './types.ts';
import { deadline } from './wait.ts';

export type ReconcileNeeds = Pick<
  Ports,
  'wishes' | 'certificates' | 'renewals' | 'changes' | 'locks' | 'jobs' | 'clock'
> & {
  readonly settings: () => Settings;
};

/** What to change in the wishes of one domain. Absent: stays. */
export interface WishEdit {
  readonly domain?: Domain | undefined;
  readonly removeDomain?: boolean | undefined;
  readonly putHosts?: readonly Host[] | undefined;
  readonly removeHosts?: readonly Host[] | undefined;
  readonly putGroups?: readonly Group[] | undefined;
  readonly putTasks?: readonly Task[] | undefined;
  readonly events?: readonly NewEvent[] | undefined;
  /** Ask for these policies' certificates now, skipping the ladder. */
  readonly request?:
    | { readonly policies: readonly string[]; readonly force: boolean; readonly task?: string | undefined }
    | undefined;
}

/** Wishes of one domain as they are stored; `domain` is absent for a new one. */
export interface StoredWish {
  readonly domain: Domain | undefined;
  readonly hosts: readonly Host[];
  readonly groups: readonly Group[];
}

export interface Reconciled {
  /** Lineages that serve the wish now. */
  readonly wanted: readonly LineageId[];
}

const lockMs = 30_000;

/**
 * Changes the wishes of one domain and, in the same write, the lineages that follow from them; then wakes the work.
 * `edit` sees what is stored and may throw to refuse; undefined changes nothing but still brings the lineages in line.
 * The only way a wish changes, for the file and for commands.
 */
export async function changeWishes(
  name: string,
  edit: (stored: StoredWish) => WishEdit | undefined,
  needs: ReconcileNeeds,
): Promise<Reconciled> {
  const { signal, cancel } = deadline(needs.clock, lockMs, `waiting for another change of ${name}`);
  const lock = await needs.locks.acquire(`wishes:${name}`, lockMs, signal).finally(cancel);
  try {
    const stored = await read(name, needs);
    const change = edit(stored) ?? {};
    const held = await heldOf(name, needs);
    const plan = planLineages({
      name,
      stored,
      edit: change,
      held,
      settings: needs.settings(),
      now: needs.clock.now(),
    });
    if (!isEmpty(plan.change)) await needs.changes.commit({ fence: lock, ...plan.change });
    await needs.jobs.wake('deploy', plan.wakeDeploy);
    await needs.jobs.wake('issue', plan.wakeIssue);
    return { wanted: plan.wanted };
  } finally {
    await lock.release();
  }
}

interface HeldLineage {
  readonly lineage: Lineage;
  readonly state: RenewalState;
  readonly certificate: Certificate | undefined;
}

async function read(name: string, { wishes }: ReconcileNeeds): Promise<StoredWish> {
  const [domain, hosts, groups] = await Promise.all([
    wishes.domain(name),
    wishes.hosts(name),
    wishes.groups(name),
  ]);
  return { domain, hosts, groups };
}

async function heldOf(
  name: string,
  { certificates, renewals }: ReconcileNeeds,
): Promise<readonly HeldLineage[]> {
  const lineages = (await certificates.lineages(name)).filter((lineage) => lineage.source === 'acme');
  const ids = lineages.map(({ id }) => id);
  const [states, currents] = await Promise.all([renewals.many(ids), certificates.currents(ids)]);
  return lineages.map((lineage, index) => ({
    lineage,
    state: states[index] ?? freshRenewal(lineage.id),
    certificate: currents[index],
  }));
}

interface PlanInput {
  readonly name: string;
  readonly stored: StoredWish;
  readonly edit: WishEdit;
  readonly held: readonly HeldLineage[];
  readonly settings: Settings;
  readonly now: Instant;
}

interface Plan {
  readonly change: Change;
  readonly wanted: readonly LineageId[];
  readonly wakeIssue: readonly LineageId[];
  readonly wakeDeploy: readonly string[];
}

/** Pure: from the stored wish, its edit and what is held to one write. */
export function planLineages(input: PlanInput): Plan {
  const { edit, held, settings, now } = input;
  const wish = applied(input);
  const account = settings.dnsAccounts.find(({ name }) => name === wish?.domain.dnsAccount);
  const policies = wish === undefined ? [] : derivePolicies(wish, account);
  const targets = wish?.domain.deploy ?? [];
  const byId = new Map(held.map((one) => [one.lineage.id, one]));
  const wanted = wish === undefined ? [] : wantedLineages(policies, wish.domain);
  const steps = wanted.map((want) => stepOf(want, byId.get(want.id), { edit, settings, now }));
  const ids = new Set(wanted.map(({ id }) => id));
  const lost = held.filter(({ lineage }) => !ids.has(lineage.id) && lineage.unwantedSince === undefined);
  const changed = steps.filter(({ isChanged }) => isChanged);
  const unwanted = lost.map((one) => ({ ...one, lineage: { ...one.lineage, unwantedSince: now } }));
  const deploys = newDeployments({ input, targets, changed, wanted: [...ids] });
  return {
    wanted: [...ids],
    wakeIssue: changed.map(({ lineage }) => lineage.id),
    wakeDeploy: deploys.map(({ id }) => id),
    change: {
      ...wishWrites(edit, input.name),
      putLineages: [...changed, ...unwanted].map(({ lineage }) => lineage),
      putRenewals: changed.map(({ state }) => state),
      due: [...[...changed, ...unwanted].flatMap((one) => dueOfLineage({ ...one, now })), ...deploys],
      events: edit.events,
    },
  };
}

function applied({ stored, edit }: PlanInput): Wish | undefined {
  const domain = edit.removeDomain === true ? undefined : (edit.domain ?? stored.domain);
  if (domain === undefined) return undefined;
  const removed = new Set((edit.removeHosts ?? []).map(({ name }) => name));
  const put = edit.putHosts ?? [];
  const kept = stored.hosts.filter(
    ({ name }) => !removed.has(name) && !put.some((host) => host.name === name),
  );
  const stray = put.find((host) => !isUnder(host.name.replace(/^\*\./, ''), domain.name));
  if (stray !== undefined)
    throw new AgentError('command.invalid', `${stray.name} does not lie under ${domain.name}`);
  const labels = new Set((edit.putGroups ?? []).map(({ label }) => label));
  const groups = [...stored.groups.filter(({ label }) => !labels.has(label)), ...(edit.putGroups ?? [])];
  return { domain, hosts: [...kept, ...put], groups };
}

interface WantedLineage {
  readonly id: LineageId;
  readonly policy: Policy;
  readonly wanted: WantedSpec;
}

function wantedLineages(policies: readonly Policy[], domain: Domain): readonly WantedLineage[] {
  return policies.flatMap((policy) =>
    domain.keyTypes.map((keyType) => ({
      id: lineageId(policy.id, keyClassOf(keyType)),
      policy,
      wanted: wantedOf(policy, keyType, domain),
    })),
  );
}

interface Step extends HeldLineage {
  readonly isChanged: boolean;
}

/** A changed wish clears the ladder: the person may have mended what failed. */
function stepOf(
  want: WantedLineage,
  held: HeldLineage | undefined,
  { edit, settings, now }: Pick<PlanInput, 'edit' | 'settings' | 'now'>,
): Step {
  const request = edit.request?.policies.includes(want.policy.id) === true ? edit.request : undefined;
  const lineage: Lineage = {
    id: want.id,
    source: 'acme',
    domain: want.policy.domain,
    policy: want.policy.id,
    label: want.policy.label,
    wanted: want.wanted,
    createdAt: held?.lineage.createdAt ?? now,
    current: held?.lineage.current,
    generations: held?.lineage.generations ?? [],
  };
  const same =
    held !== undefined &&
    held.lineage.unwantedSince === undefined &&
    isSame(held.lineage.wanted, want.wanted);
  const before = held?.state ?? freshRenewal(want.id);
  const requested =
    request === undefined ? before.requested : { at: now, force: request.force, task: request.task };
  const certificate = held?.certificate;
  const state = {
    ...before,
    // Of names that nobody wanted for a while there is none.
    renewAt: before.renewAt ?? (certificate && pointOf(certificate, { settings: () => settings })),
    retryAt: same && request === undefined ? before.retryAt : undefined,
    requested,
  };
  return { lineage, state, certificate, isChanged: !same || request !== undefined };
}

function isSame(a: WantedSpec, b: WantedSpec): boolean {
  const text = ({ names, keyType, issuers, challenge, profile }: WantedSpec) =>
    JSON.stringify([[...names].sort(), keyType, issuers, challenge, profile?.name, profile?.required]);
  return text(a) === text(b);
}

type DueWrite = { readonly job: DueEntry['job']; readonly id: string; readonly at: Instant | undefined };

/** New lineages are served from their first second; a new target gets all lineages of the domain. */
function newDeployments(step: {
  input: PlanInput;
  targets: readonly string[];
  changed: readonly Step[];
  wanted: readonly LineageId[];
}): readonly DueWrite[] {
  const { input, targets, changed, wanted } = step;
  const before = input.stored.domain?.deploy ?? [];
  return targets.flatMap((target) => {
    const ids = before.includes(target) ? changed.map(({ lineage }) => lineage.id) : wanted;
    return ids.map((id): DueWrite => ({ job: 'deploy', id: deploymentId(target, id), at: input.now }));
  });
}

function wishWrites(edit: WishEdit, name: string): Change {
  return {
    putDomains: edit.domain === undefined ? [] : [edit.domain],
    removeDomains: edit.removeDomain === true ? [name] : [],
    putHosts: edit.putHosts,
    removeHosts: edit.removeHosts,
    putGroups: edit.putGroups,
    putTasks: edit.putTasks,
  };
}

function isEmpty(change: Change): boolean {
  return Object.values(change).every(
    (part) => part === undefined || (Array.isArray(part) && part.length === 0),
  );
}
