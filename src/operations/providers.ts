import { z } from 'zod';
import { AgentError } from '../core/errors.ts';
import { nearest } from '../core/nearest.ts';
import type { DnsProviderFacts } from '../core/provider-facts.ts';
import { defineStaticOperation } from './define.ts';
import { configuredName, shown } from './fields.ts';

export const providersList = defineStaticOperation({
  name: 'providers.list',
  kind: 'read',
  method: 'GET',
  path: '/providers',
  scope: 'read',
  summary: 'Lists the DNS providers that a DNS account of the configuration file can have.',
  input: z.strictObject({}),
  runStatic: async (
    _,
    { dnsProviders },
  ): Promise<{ readonly providers: readonly Pick<DnsProviderFacts, 'name' | 'title'>[] }> => ({
    providers: dnsProviders().map(({ name, title }) => ({ name, title })),
  }),
});

export const providersShow = defineStaticOperation({
  name: 'providers.show',
  kind: 'read',
  method: 'GET',
  path: '/providers/{name}',
  scope: 'read',
  summary: 'Shows the options of a DNS provider, the least rights it needs, and what to know of it.',
  input: z.strictObject({ name: configuredName.describe('Its name, as "providers list" has it') }),
  runStatic: async ({ name }, { dnsProviders }): Promise<{ readonly provider: DnsProviderFacts }> => {
    const known = dnsProviders();
    const provider = known.find((one) => one.name === name);
    if (provider !== undefined) return { provider };
    const names = known.map((one) => one.name);
    const near = nearest(name, names);
    const hint = near === undefined ? `there are: ${names.join(', ')}` : `do you mean ${near}?`;
    throw new AgentError('command.notFound', `there is no DNS provider "${shown(name)}"; ${hint}`);
  },
});
