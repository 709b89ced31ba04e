import { changeWishes, type ReconcileNeeds, type StoredWish, type WishEdit } from './reconcile.ts';
import type { Domain, Host, Instant } from './types.ts';

/** A domain with its hosts as the configuration file has them. */
export interface FileWish {
  readonly domain: Domain;
  readonly hosts: readonly Host[];
}

/**
 * Brings the file-owned records in line with the file: what it names is there as it says; what left it is disabled
 * (certificates stay). A domain that a command added becomes the file's; its runtime-owned hosts stay. Also brings every other domain's lineages in
 * line with the settings. Runs at start and on reload, on any number of agents.
 */
export async function adoptFile(wishes: readonly FileWish[], needs: ReconcileNeeds): Promise<void> {
  for (const wish of wishes)
    await changeWishes(wish.domain.name, (stored) => toEdit(wish, stored, needs.clock.now()), needs);
  const named = new Set(wishes.map(({ domain }) => domain.name));
  for (const domain of await needs.wishes.domains())
    if (!named.has(domain.name))
      await changeWishes(domain.name, (stored) => leftTheFile(stored, needs), needs);
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
