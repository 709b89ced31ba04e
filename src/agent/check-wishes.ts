import { systemClock } from '../clock.ts';
import type { LoadedConfig } from '../config/config.ts';
import { isAgentError } from '../core/errors.ts';
import { derivePolicies, effectiveMode, type Wish } from '../core/policies.ts';
import type { Settings } from '../core/types.ts';
import { strayReferences } from '../core/wishes/domain-wish.ts';
import { type Misfit, misfits } from '../core/wishes/file-wishes.ts';
import { readWish, type StoredWish } from '../core/wishes/reconcile.ts';
import type { Store } from '../store/index.ts';
import { type CheckItem, warned } from './check-item.ts';

/** What is odd about the domains of the file, and about those that commands made, as far as there is a store. */
export async function checkWishes(
  { domains, settings }: Pick<LoadedConfig, 'domains' | 'settings'>,
  store: Pick<Store, 'wishes' | 'certificates'> | undefined,
): Promise<readonly CheckItem[]> {
  const stored = store === undefined ? [] : await storedWishes(store);
  const isStored = (name: string) => stored.some(({ domain }) => domain.name === name);
  const needs = { settings: () => settings, clock: systemClock };
  const unfit = store === undefined ? [] : await misfits(domains, { ...needs, wishes: store.wishes });
  const missing = domains.filter(({ domain }) => !isStored(domain.name));
  const wishes = [...stored, ...missing.map((one) => ({ ...one, groups: [] }))];
  const fitting = wishes.filter(({ domain }) => !unfit.some((one) => one.domain === domain.name));
  return [
    ...wishes.flatMap((wish) => strays(wish, settings)),
    ...unfit.map(misfitItem),
    ...(await Promise.all(fitting.map((wish) => idle(wish, settings, store)))).flat(),
  ];
}

async function storedWishes({ wishes }: Pick<Store, 'wishes'>): Promise<readonly Wish[]> {
  const domains = await wishes.domains();
  const all = await Promise.all(domains.map(({ name }) => readable(name, { wishes })));
  return all.flatMap(({ domain, ...rest }) => (domain === undefined ? [] : [{ domain, ...rest }]));
}

/** Of one that is damaged it is said elsewhere that it is. */
async function readable(name: string, needs: Pick<Store, 'wishes'>): Promise<StoredWish> {
  return readWish(name, needs).catch((error: unknown) => {
    if (!isAgentError(error, 'store.record')) throw error;
    return { domain: undefined, hosts: [], groups: [] };
  });
}

/** It would stay as it is when the file is adopted. */
function misfitItem({ domain, error }: Misfit): CheckItem {
  const message = `cannot follow the file and stays as it was: ${error.message}`;
  const advice = isAgentError(error, 'store.record')
    ? error.advice
    : 'Change the file so that it can, or take back what commands asked for ("acme-agent hosts remove", "domains set"), then send the agent SIGHUP.';
  return { name: `domain ${domain}`, level: 'failed', message, advice };
}

/** A command made it while the file defined what it does not any more. */
function strays({ domain }: Wish, settings: Settings): readonly CheckItem[] {
  const missing = strayReferences(domain, settings);
  if (missing.length === 0) return [];
  const message = `names what the file does not define: ${missing.join(', ')}; the defaults stand in`;
  const advice = 'Define it in the file again, or change the domain with "acme-agent domains set".';
  return [{ name: `domain ${domain.name}`, level: 'failed', message, advice }];
}

/** It is there, and no certificate follows from it, nor was one uploaded. */
async function idle(
  wish: Wish,
  settings: Settings,
  store: Pick<Store, 'certificates'> | undefined,
): Promise<readonly CheckItem[]> {
  const { domain } = wish;
  const account = settings.dnsAccounts.find(({ name }) => name === domain.dnsAccount);
  if (domain.disabledAt !== undefined || derivePolicies(wish, account).length > 0) return [];
  if (await hasUpload(domain.name, store)) return [];
  const name = `domain ${domain.name}`;
  return effectiveMode(domain, account) === 'custom'
    ? [warned(name, 'has no certificate: mode custom makes none by itself', noneByItself)]
    : [warned(name, 'has no host, so it has no certificate', 'Add its hosts, or remove it.')];
}

/** Also where that cannot be read: it is said elsewhere. */
async function hasUpload(domain: string, store: Pick<Store, 'certificates'> | undefined): Promise<boolean> {
  try {
    return ((await store?.certificates.uploads(domain)) ?? []).length > 0;
  } catch (error) {
    if (!isAgentError(error, 'store.record')) throw error;
    return true;
  }
}

const noneByItself =
  'Upload one with "acme-agent certs add FILE", or have one ordered with "acme-agent issue NAME".';
