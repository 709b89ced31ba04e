import { z } from 'zod';
import { AgentError } from '../src/core/errors.ts';
import type { ChangeOutcome, DnsProvider } from '../src/core/provider.ts';
import type { PluginContext } from '../src/plugin/context.ts';
import { defineDnsProvider } from '../src/plugin/define.ts';
import { secretText } from '../src/plugin/fields.ts';
import { createVendorApi } from '../src/plugin/vendor-api.ts';
import { opaqueOptions, opaqueTraits } from './opaque.ts';

const options = z
  .strictObject({
    endpoint: z
      .url({ protocol: /^https?$/ })
      .refine(
        (url) => new URL(url).username === '',
        'must not hold credentials: they go under "username" and "password"',
      )
      .describe('URL of the server; /present and /cleanup are asked below it.'),
    username: z.string().min(1).optional().describe('For HTTP Basic authentication.'),
    password: secretText().optional().describe('For HTTP Basic authentication.'),
    ...opaqueOptions('value'),
  })
  .refine(
    ({ username, password }) => (username === undefined) === (password === undefined),
    'username and password belong together',
  );

type Options = z.infer<typeof options>;

export const httpreq = defineDnsProvider<Options>({
  name: 'httpreq',
  title: "A server of your own (lego's httpreq protocol)",
  docs: 'https://go-acme.github.io/lego/dns/httpreq/',
  options,
  traits: opaqueTraits({ cleanup: 'value', ttl: 60, propagationSeconds: 60 }),
  notes: [
    'POST ENDPOINT/present and ENDPOINT/cleanup with {"fqdn": "_acme-challenge.example.com.", "value": "…"}; any 2xx is a success.',
    'present adds the value beside those there and succeeds when it is there already; cleanup of a missing value succeeds.',
    'The RAW mode of lego is not spoken: a provider knows the record, not the token and the key authorization it is made of.',
    'One call at a time. The zone is found by SOA queries, or declared at the account.',
  ],
  create,
});

function create(config: Options, context: PluginContext): DnsProvider {
  const { endpoint, username, password } = config;
  const { host } = new URL(endpoint);
  const api = createVendorApi(
    {
      vendor: `the server ${host}`,
      baseUrl: endpoint,
      auth: () => (password === undefined ? {} : basicAuth(`${username}:${password.reveal()}`)),
      secrets: password === undefined ? [] : [password],
    },
    context,
  );
  return {
    traits: opaqueTraits(config),
    async apply(_zone, changes, signal) {
      const outcomes: ChangeOutcome[] = [];
      for (const { op, name, value } of changes) {
        const path = op === 'add' ? '/present' : '/cleanup';
        const doing = `to ${op} the TXT record ${name}`;
        await api.send({ doing, path, json: { fqdn: `${name}.`, value } }, signal);
        outcomes.push({ ok: true });
      }
      return { outcomes };
    },
    /** Only whether something answers: the protocol has nothing to ask that changes nothing. */
    async check(signal) {
      await context.http.request(endpoint, { signal }).catch((cause: unknown) => {
        signal.throwIfAborted();
        const reason = cause instanceof Error ? cause.message : String(cause);
        throw new AgentError('provider.unavailable', `the server ${host} does not answer: ${reason}`, {
          cause,
        });
      });
    },
  };
}

function basicAuth(pair: string): Readonly<Record<string, string>> {
  return { authorization: `Basic ${Buffer.from(pair).toString('base64')}` };
}
