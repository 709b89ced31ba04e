import { isAgentError } from '../errors.ts';
import type { Ports } from '../ports.ts';
import type { Domain, Host, Instant } from '../types.ts';
import { resolveDomain, saidOf, strayReferences } from './domain-wish.ts';
import { changeWishes, type ReconcileNeeds, type StoredWish, type WishEdit } from './reconcile.ts';

/** A domain with its hosts as the configuration file has them. */
export interface FileWish {
  readonly domain: Domain;
  readonly hosts: readonly Host[];
}

export type AdoptFileNeeds = ReconcileNeeds & Pick<Ports, 'log'>;

/** Domains under way at a time: each takes some round trips to the store one after the other. */
const atOnce = 32;

/**
 * Brings the file-owned records in line with the file: what it names is there as it says; what left it is disabled
 * (certificates stay). A domain that a command added becomes the file's; its runtime-owned hosts stay. Also brings the
 * domains that commands own in line with the settings, and reports those that name what the file does not define.
 * Runs at start and on reload, on any number of agents.
 */
export async function adoptFile(wishes: readonly FileWish[], needs: AdoptFileNeeds): Promise<void> {
  await eachOf(wishes, async (wish) => {
    await changeWishes(wish.domain.name, (stored) => toEdit(wish, stored, needs.clock.now()), needs);
  });
  const named = new Set(wishes.map(({ domain }) => domain.name));
  const others = (await needs.wishes.domains()).filter(({ name }) => !named.has(name));
  await eachOf(others, async (domain) => {
    if (domain.origin.kind === 'runtime') await follow(domain, needs);
    else await changeWishes(domain.name, (stored) => leftTheFile(stored, needs), needs);
  });
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

/** A runtime-owned domain with which the file makes no sense any more stays as it was: it must not keep the agent from starting. */
async function follow({ name }: Domain, needs: AdoptFileNeeds): Promise<void> {
  const settings = needs.settings();
  let missing: readonly string[] = [];
  const edit = ({ domain }: StoredWish): WishEdit => {
    if (domain === undefined || domain.origin.kind === 'file') return {};
    missing = strayReferences(domain, settings);
    const now = resolveDomain(name, saidOf(domain), settings);
    return { domain: isEqual(domain, now) ? undefined : now };
  };
  try {
    await changeWishes(name, edit, needs);
  } catch (err) {
    if (!isAgentError(err, 'command.invalid')) throw err;
    needs.log.warn(
      { domain: name, err },
      'the domain cannot follow the configuration file and stays as it was',
    );
  }
  if (missing.length > 0)
    needs.log.warn(
      { domain: name, missing },
      'the domain names what the configuration file does not define; the defaults stand in',
    );
}

function toEdit({ domain, hosts }: FileWish, stored: StoredWish, now: Instant): WishEdit {
  const names = new Set(hosts.map(({ name }) => name));
  const known = new Map(stored.hosts.map((host) => [host.name, host]));
  return {
    domain: isEqual(stored.domain, domain) ? undefined : domain,
    putHosts: hosts
      .filter((host) => !isEqual(known.get(host.name)?.origin, host.origin))
      .map((host) => ({ ...host, addedAt: known.get(host.name)?.addedAt ?? now })),
    removeHosts: stored.hosts.filter(({ name, origin }) => origin.kind === 'file' && !names.has(name)),
  };
}

function leftTheFile({ domain, hosts }: StoredWish, { clock }: ReconcileNeeds): WishEdit {
  if (domain === undefined || domain.origin.kind === 'runtime' || domain.disabledAt !== undefined) return {};
  const gone = hosts.filter(({ origin }) => origin.kind === 'file');
  return {
    domain: { ...domain, disabledAt: clock.now() },
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
