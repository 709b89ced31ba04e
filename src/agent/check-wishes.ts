import type { LoadedConfig } from '../config/config.ts';
import { derivePolicies, effectiveMode, type Wish } from '../core/policies.ts';
import type { Settings } from '../core/types.ts';
import { strayReferences } from '../core/wishes/domain-wish.ts';
import type { Store } from '../store/index.ts';
import { type CheckItem, warned } from './check-item.ts';

/** What is odd about the domains of the file, and about those that commands made, as far as there is a store. */
export async function checkWishes(
  { domains, settings }: LoadedConfig,
  store: Pick<Store, 'wishes'> | undefined,
): Promise<readonly CheckItem[]> {
  const written = domains.map((one) => ({ ...one, groups: [] }));
  const stored = store === undefined ? [] : await storedWishes(store);
  const missing = written.filter(({ domain }) => !stored.some((one) => one.domain.name === domain.name));
  return [...stored, ...missing].flatMap((wish) => [...strays(wish, settings), ...idle(wish, settings)]);
}

async function storedWishes({ wishes }: Pick<Store, 'wishes'>): Promise<readonly Wish[]> {
  return Promise.all(
    (await wishes.domains()).map(async (domain) => {
      const [hosts, groups] = await Promise.all([wishes.hosts(domain.name), wishes.groups(domain.name)]);
      return { domain, hosts, groups };
    }),
  );
}

/** A command made it while the file defined what it does not any more. */
function strays({ domain }: Wish, settings: Settings): readonly CheckItem[] {
  const missing = strayReferences(domain, settings);
  if (missing.length === 0) return [];
  const message = `names what the file does not define: ${missing.join(', ')}; the defaults stand in`;
  const advice = 'Define it in the file again, or change the domain with "acme-agent domains set".';
  return [{ name: `domain ${domain.name}`, level: 'failed', message, advice }];
}

/** It is there, and no certificate follows from it. */
function idle(wish: Wish, settings: Settings): readonly CheckItem[] {
  const { domain } = wish;
  const account = settings.dnsAccounts.find(({ name }) => name === domain.dnsAccount);
  if (domain.disabledAt !== undefined || derivePolicies(wish, account).length > 0) return [];
  const name = `domain ${domain.name}`;
  return effectiveMode(domain, account) === 'custom'
    ? [warned(name, 'has no certificate: mode custom makes none by itself', 'Run acme-agent issue NAME.')]
    : [warned(name, 'has no host, so it has no certificate', 'Add its hosts, or remove it.')];
}
