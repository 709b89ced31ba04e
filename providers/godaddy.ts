import { z } from 'zod';
import type { DnsProvider } from '../src/core/provider.ts';
import type { PluginContext } from '../src/plugin/context.ts';
import { defineDnsProvider } from '../src/plugin/define.ts';
import { baseUrlOption, secretText, ttlOption } from '../src/plugin/fields.ts';
import { ttl } from './godaddy-api.ts';
import { createGodaddyRecords, recordTraits } from './godaddy-records.ts';
import { createGodaddySets } from './godaddy-sets.ts';

const options = z
  .strictObject({
    token: secretText().optional().describe('Personal access token with the scopes below.'),
    key: secretText().optional().describe('Classic key, of the production environment; in place of a token.'),
    secret: secretText().optional().describe('Secret of that key.'),
    ttl: ttlOption(ttl),
    baseUrl: baseUrlOption('https://api.godaddy.com'),
  })
  .refine(
    ({ token, key, secret }) =>
      token === undefined
        ? key !== undefined && secret !== undefined
        : key === undefined && secret === undefined,
    'give token, or key and secret',
  );

type Options = z.infer<typeof options>;

export const godaddy = defineDnsProvider<Options>({
  name: 'godaddy',
  title: 'GoDaddy',
  docs: 'https://developer.godaddy.com/en/docs/api-users/domains/manage/dns',
  credentials: 'https://developer.godaddy.com/keys',
  options,
  traits: recordTraits,
  leastPrivilege: [
    'Scopes of the token: domains.domain:read and domains.dns:update',
    'A classic key has the rights of the account; there is no lesser one.',
  ].join('\n'),
  notes: [
    'GoDaddy has announced the end of classic keys. With one, whole sets are read and written, as its older API has them: what somebody else writes to the same name between the two is lost.',
    'GoDaddy opens its API only to some accounts, with a number of calls a month that depends on the domains and the plan; what it asks for has changed several times. See https://www.godaddy.com/help/how-do-i-access-domain-related-apis-42424.',
    'How many requests a minute it takes is not documented; we keep below 60.',
    'What it answers to a record that is there already could not be confirmed: it is looked up before.',
    'With a classic key, lists of more than 500 records are read by skipping those had already, as its documentation says; that could not be tried.',
  ],
  create,
});

function create({ token, key, secret, ...rest }: Options, context: PluginContext): DnsProvider {
  if (token !== undefined) return createGodaddyRecords({ token, ...rest }, context);
  if (key !== undefined && secret !== undefined) return createGodaddySets({ key, secret, ...rest }, context);
  throw new Error('neither a token nor a key: the options do not let this pass');
}
