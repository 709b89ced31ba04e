import type { LoadedConfig } from '../config/config.ts';
import type { StaticNeeds } from '../operations/define.ts';

/** Of the configuration, with its plugins; without one what comes with the agent. */
export async function staticNeeds(
  loaded: Pick<LoadedConfig, 'definitions'> | undefined,
): Promise<StaticNeeds> {
  const { describeProvider } = await import('../config/describe.ts');
  const { dnsProviders } = await import('../../providers/index.ts');
  const definitions = loaded === undefined ? dnsProviders : [...loaded.definitions.dns.values()];
  return { dnsProviders: () => definitions.map(describeProvider) };
}
