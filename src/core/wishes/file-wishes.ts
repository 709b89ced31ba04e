import { type AgentError, isAgentError } from '../errors.ts';
import type { Ports } from '../ports.ts';
import type { Domain, Host, Instant } from '../types.ts';
import { checkDomain } from './domain-rules.ts';
import { resolveDomain, saidOf, strayReferences } from './domain-wish.ts';
import { planLineages, type StoredWish, type WishEdit } from './lineage-plan.ts';
import { changeWishes, type ReconcileNeeds, readWish } from './reconcile.ts';

/** A domain with its hosts as the configuration file has them. */
export interface FileWish {
  readonly domain: Domain;
  readonly hosts: readonly Host[];
}

export type AdoptFileNeeds = ReconcileNeeds & Pick<Ports, 'log'>;

type LookNeeds = Pick<AdoptFileNeeds, 'wishes' | 'settings' | 'clock'>;

/** A domain that cannot be as the file has it, and why: `command.invalid`, or `store.record`. */
export interface Misfit {
  readonly domain: string;
  readonly error: AgentError;
}

interface FileEdit {
  readonly name: string;
  readonly edit: (stored: StoredWish) => WishEdit;
}

/** Domains under way at a time: each takes some round trips to the store one after the other. */
const atOnce = 32;

/**
 * Brings the file-owned records in line with the file: what it names is there as it says; what left it is disabled
 * (certificates stay). A domain that a command added becomes the file's; its runtime-owned hosts stay. Also brings the
 * domains that commands own in line with the settings, and reports those that name what the file does not define.
 * Runs at start and on reload, on any number of agents.
 */
export async function adoptFile(wishes: readonly FileWish[], needs: AdoptFileNeeds): Promise<void> {
  await eachOf(wishes, (wish) => follow(editOf(wish, needs), needs));
  const others = await unnamed(wishes, needs);
  await eachOf(others, (domain) => follow(editOfUnnamed(domain, needs), needs));
  for (const domain of others) {
    const missing = strayReferences(domain, needs.settings());
    if (missing.length > 0)
      needs.log.warn(
        { domain: domain.name, missing },
        'the domain names what the configuration file does not define; the defaults stand in',
      );
  }
}

/** The domains that `adoptFile` would leave as they are. Changes nothing. */
export async function misfits(wishes: readonly FileWish[], needs: LookNeeds): Promise<readonly Misfit[]> {
  const others = await unnamed(wishes, needs);
  const edits = [
    ...wishes.map((wish) => editOf(wish, needs)),
    ...others.map((domain) => editOfUnnamed(domain, needs)),
  ];
  const found: Misfit[] = [];
  await eachOf(edits, async ({ name, edit }) => {
    const [settings, now] = [needs.settings(), needs.clock.now()];
    try {
      const stored = await readWish(name, needs);
      planLineages({ name, stored, edit: edit(stored), held: [], settings, now });
    } catch (error) {
      if (!keepsNobodyElse(error)) throw error;
      found.push({ domain: name, error });
    }
  });
  return found;
}

async function unnamed(
  wishes: readonly FileWish[],
  needs: Pick<LookNeeds, 'wishes'>,
): Promise<readonly Domain[]> {
  const named = new Set(wishes.map(({ domain }) => domain.name));
  return (await needs.wishes.domains()).filter(({ name }) => !named.has(name));
}

/** The first fault ends it, once what is under way is done. */
async function eachOf<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const rest = items.values();
  const faults: unknown[] = [];
  async function lane(): Promise<void> {
    for (const item of rest) {
      if (faults.length > 0) return;
      await work(item).catch((error: unknown) => faults.push(error));
    }
  }
  await Promise.all(Array.from({ length: atOnce }, lane));
  if (faults.length > 0) throw faults[0];
}

/**
 * A domain with which the file makes no sense any more, or what commands asked for under it, or that cannot be read,
 * stays as it was: it must not keep the agent from starting.
 */
async function follow({ name, edit }: FileEdit, needs: AdoptFileNeeds): Promise<void> {
  try {
    await changeWishes(name, edit, needs);
  } catch (err) {
    if (!keepsNobodyElse(err)) throw err;
    needs.log.warn(
      { domain: name, err },
      'the domain cannot follow the configuration file and stays as it was',
    );
  }
}

function keepsNobodyElse(error: unknown): error is AgentError {
  return isAgentError(error, 'command.invalid') || isAgentError(error, 'store.record');
}

function editOf({ domain, hosts }: FileWish, { clock }: LookNeeds): FileEdit {
  const names = new Set(hosts.map(({ name }) => name));
  const edit = (stored: StoredWish): WishEdit => {
    const known = new Map(stored.hosts.map((host) => [host.name, host]));
    return {
      domain: isEqual(stored.domain, domain) ? undefined : domain,
      putHosts: hosts
        .filter((host) => !isEqual(known.get(host.name)?.origin, host.origin))
        .map((host) => ({ ...host, addedAt: known.get(host.name)?.addedAt ?? clock.now() })),
      removeHosts: stored.hosts.filter(({ name, origin }) => origin.kind === 'file' && !names.has(name)),
    };
  };
  return { name: domain.name, edit };
}

/** Somebody may have removed it since it was read, or added it anew. */
function editOfUnnamed({ name }: Domain, { settings, clock }: LookNeeds): FileEdit {
  const edit = ({ domain, hosts }: StoredWish): WishEdit => {
    if (domain === undefined) return {};
    if (domain.origin.kind === 'file') return leftTheFile(domain, hosts, clock.now());
    const now = resolveDomain(name, saidOf(domain), settings());
    if (isEqual(domain, now)) return {};
    checkDomain(now, settings());
    return { domain: now };
  };
  return { name, edit };
}

function leftTheFile(domain: Domain, hosts: readonly Host[], now: Instant): WishEdit {
  if (domain.disabledAt !== undefined) return {};
  const gone = hosts.filter(({ origin }) => origin.kind === 'file');
  return {
    domain: { ...domain, disabledAt: now },
    removeHosts: gone,
    events: [
      {
        type: 'domain.changed',
        domain: domain.name,
        facts: { change: 'disabled', reason: 'left the configuration file' },
      },
    ],
  };
}

function isEqual(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
