import { AgentError } from '../errors.ts';
import type { HeldLineage } from '../held-lineages.ts';
import { isUnder } from '../names.ts';
import { derivePolicies, type Wish } from '../policies.ts';
import type { Change } from '../ports.ts';
import { deploymentId } from '../records.ts';
import { dueOfLineage } from '../renewal/next-action.ts';
import type {
  Domain,
  DueEntry,
  Group,
  Host,
  Instant,
  LineageId,
  NewEvent,
  Settings,
  Task,
} from '../types.ts';
import { type Request, type Step, stepOf, wantedLineages } from './lineage-step.ts';

/** What to change in the wishes of one domain. Absent: stays. */
export interface WishEdit {
  readonly domain?: Domain | undefined;
  readonly removeDomain?: boolean | undefined;
  readonly putHosts?: readonly Host[] | undefined;
  readonly removeHosts?: readonly Host[] | undefined;
  readonly putGroups?: readonly Group[] | undefined;
  readonly removeGroups?: readonly Group[] | undefined;
  readonly putTasks?: readonly Task[] | undefined;
  readonly events?: readonly NewEvent[] | undefined;
  /** Ask for these policies' certificates now, skipping the ladder. */
  readonly request?: Request | undefined;
}

/** Wishes of one domain as they are stored; `domain` is absent for a new one. */
export interface StoredWish {
  readonly domain: Domain | undefined;
  /** `store.record`: there is one, but nobody can read it; only an edit that says it anew goes on. */
  readonly damage?: unknown;
  readonly hosts: readonly Host[];
  readonly groups: readonly Group[];
}

export interface PlanInput {
  readonly name: string;
  readonly stored: StoredWish;
  readonly edit: WishEdit;
  readonly held: readonly HeldLineage[];
  /** Ids of what was uploaded for the domain. */
  readonly uploads?: readonly LineageId[] | undefined;
  readonly settings: Settings;
  readonly now: Instant;
}

export interface Plan {
  readonly change: Change;
  /** Lineages that serve the wish now. */
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
  const byId = new Map(held.map((one) => [one.lineage.id, one]));
  const wanted = wish === undefined ? [] : wantedLineages(policies, wish.domain, settings);
  // Without the names that were refused the next order may do.
  const isEased = wish?.domain.partial === true && input.stored.domain?.partial !== true;
  const around = { request: edit.request, isEased, settings, now };
  const steps = wanted.map((want) => stepOf(want, byId.get(want.id), around));
  const ids = new Set(wanted.map(({ id }) => id));
  const lost = held.filter(({ lineage }) => !ids.has(lineage.id) && lineage.unwantedSince === undefined);
  const unwanted = lost.map((one) => ({ ...one, lineage: { ...one.lineage, unwantedSince: now } }));
  // Nothing will be ordered for them; what is under way has to be ended.
  const futile = unwanted.filter(({ certificate }) => certificate === undefined);
  const changed = steps.filter(({ isChanged }) => isChanged);
  const woken = steps.filter(({ isWoken }) => isWoken);
  const isShaken = woken.length + unwanted.length > 0;
  const targets = wish?.domain.deploy ?? [];
  const deploys = newDeployments(input, { targets, woken, isShaken, wanted: [...ids] });
  return {
    wanted: [...ids],
    wakeIssue: [...woken, ...futile].map(({ lineage }) => lineage.id),
    wakeDeploy: deploys.map(({ id }) => id),
    change: {
      ...wishWrites(edit, input.name),
      putLineages: [...changed, ...unwanted].map(({ lineage }) => lineage),
      putRenewals: woken.map(({ state }) => state),
      due: [
        ...[...woken, ...unwanted].flatMap((one) => dueOfLineage({ ...one, now })),
        ...futile.map(({ lineage }) => ({ job: 'issue' as const, id: lineage.id, at: now })),
        ...deploys,
      ],
      events: edit.events,
    },
  };
}

function applied({ stored, edit }: PlanInput): Wish | undefined {
  const domain = edit.removeDomain === true ? undefined : (edit.domain ?? stored.domain);
  if (domain === undefined) return undefined;
  const { putHosts = [], removeHosts = [], putGroups = [], removeGroups = [] } = edit;
  const stray = putHosts.find((host) => !isUnder(host.name.replace(/^\*\./, ''), domain.name));
  if (stray !== undefined)
    throw new AgentError('command.invalid', `${stray.name} does not lie under ${domain.name}`);
  const hosts = new Set([...putHosts, ...removeHosts].map(({ name }) => name));
  const groups = new Set([...putGroups, ...removeGroups].map(({ label }) => label));
  return {
    domain,
    hosts: [...stored.hosts.filter(({ name }) => !hosts.has(name)), ...putHosts],
    groups: [...stored.groups.filter(({ label }) => !groups.has(label)), ...putGroups],
  };
}

type DueWrite = { readonly job: DueEntry['job']; readonly id: string; readonly at: Instant | undefined };

interface Deploying {
  readonly targets: readonly string[];
  readonly woken: readonly Step[];
  /** Lineages came or went: an upload may have lost its place to one, or got it back. */
  readonly isShaken: boolean;
  readonly wanted: readonly LineageId[];
}

/** New lineages are served from their first second; a new target gets all lineages of the domain. */
function newDeployments(
  { stored, uploads = [], now }: PlanInput,
  { targets, woken, isShaken, wanted }: Deploying,
): readonly DueWrite[] {
  const before = stored.domain?.deploy ?? [];
  const changed = [...woken.map(({ lineage }) => lineage.id), ...(isShaken ? uploads : [])];
  return targets.flatMap((target) => {
    const ids = before.includes(target) ? changed : [...wanted, ...uploads];
    return ids.map((id): DueWrite => ({ job: 'deploy', id: deploymentId(target, id), at: now }));
  });
}

function wishWrites(edit: WishEdit, name: string): Change {
  return {
    putDomains: edit.domain === undefined ? [] : [edit.domain],
    removeDomains: edit.removeDomain === true ? [name] : [],
    putHosts: edit.putHosts,
    removeHosts: edit.removeHosts,
    putGroups: edit.putGroups,
    removeGroups: edit.removeGroups,
    putTasks: edit.putTasks,
  };
}
