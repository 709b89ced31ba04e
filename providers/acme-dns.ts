import { z } from 'zod';
import { AgentError } from '../src/core/errors.ts';
import type { DnsProvider, ProviderTraits } from '../src/core/provider.ts';
import type { PluginContext } from '../src/plugin/context.ts';
import { defineDnsProvider } from '../src/plugin/define.ts';
import { createVendorApi } from '../src/plugin/vendor-api.ts';
import { createRegistrations, type Registration, registration } from './acme-dns-registrations.ts';
import { createRing } from './acme-dns-ring.ts';

const options = z.strictObject({
  baseUrl: z
    .url({ protocol: /^https?$/ })
    .describe('URL of the server, such as https://auth.example.org.')
    .overwrite((text) => text.replace(/\/+$/, '')),
  registrations: z
    .record(z.string(), registration)
    .default({})
    .describe(
      'By domain, what POST /register answered: username, password (a secret), subdomain, fulldomain; as lego keeps it.',
    ),
  register: z
    .boolean()
    .default(false)
    .describe(
      'Register domains that have no registration, keep it in the store, and say which CNAME they need.',
    ),
  allowFrom: z
    .array(z.string())
    .default([])
    .describe('Networks (CIDR) that may use registrations made so; none: all.'),
});

type Options = z.infer<typeof options>;

const traits: ProviderTraits = {
  model: 'opaque',
  serialize: 'name',
  batch: { maxChanges: 1, atomic: true },
  maxValuesPerName: 2,
  removeIsExact: true,
  keepsRemoved: true,
  rate: [],
  ttl: { min: 1, preferred: 1 },
  propagation: { signal: 'authoritative', typicalMs: 1000, timeoutMs: 120_000 },
};

export const acmeDns = defineDnsProvider<Options>({
  name: 'acme-dns',
  title: 'acme-dns (a small DNS server for challenges alone)',
  docs: 'https://github.com/joohoi/acme-dns',
  options,
  traits,
  leastPrivilege: [
    'A registration opens one name of the acme-dns server, and nothing of the zone of the domain.',
    'In that zone, once for each domain:',
    '  _acme-challenge.example.com.  CNAME  8e5700ea-a4bf-41c7-8a77-e990661dcc6a.auth.example.org.',
  ].join('\n'),
  notes: [
    'Without the CNAME the agent says which one to add.',
    'A name holds the two values that came last. There is no removal: a value stands until others take its place.',
    'The agent keeps a value that is in use from being displaced; who else uses the same registration does not.',
    'One account for all registrations of a server: two accounts of one server are not told apart.',
    'With "register", a challenge name that no account can write is registered once and waits for its CNAME.',
  ],
  create,
});

function create(config: Options, context: PluginContext): DnsProvider {
  const { host } = new URL(config.baseUrl);
  const vendor = `acme-dns at ${host}`;
  const known = Object.values(config.registrations);
  const api = createVendorApi(
    {
      vendor,
      baseUrl: config.baseUrl,
      secrets: known.map(({ password }) => password),
      remedies: {
        'provider.auth':
          'check username, password and subdomain of the registration, and the networks that it allows',
      },
    },
    context,
  );
  const registrations = createRegistrations(config, { api, state: context.state });
  const ring = createRing(context.state, context.clock);

  /** `accept`: the server looks at the value only after it knows who asks. */
  function update(
    { username, password, subdomain, fulldomain }: Registration,
    { txt, accept = [] }: { readonly txt: string; readonly accept?: readonly number[] },
    signal: AbortSignal,
  ) {
    const doing = `to put a value at ${fulldomain}`;
    const headers = { 'x-api-user': username, 'x-api-key': password.reveal() };
    const json = { subdomain, txt };
    return api.send({ doing, path: '/update', headers, json, accept, secrets: [password] }, signal);
  }

  return {
    traits,
    async findZone(name, signal) {
      const zone = await registrations.zoneOf(name);
      if (zone !== undefined) return { name: zone };
      const cname = await registrations.cnameFor(name, signal);
      if (cname === undefined) return undefined;
      throw new AgentError(
        'dns.zoneNotFound',
        `${name} does not lead to ${vendor}: add the record "${name}. CNAME ${cname}." to its zone`,
        { facts: { name, cname } },
      );
    },
    async apply(_zone, changes, signal) {
      for (const { op, name, value } of changes) {
        const at = await registrations.at(name);
        if (at === undefined)
          throw new AgentError(
            'dns.zoneNotFound',
            `${vendor} has no registration for ${name}; name it under "registrations"`,
          );
        if (op === 'remove') await ring.remove(name, value);
        else await ring.add(name, { value, write: (txt) => update(at, { txt }, signal) }, signal);
      }
      return { outcomes: changes.map(() => ({ ok: true })) };
    },
    async check(signal) {
      await api.send({ doing: 'to say how it is', path: '/health' }, signal);
      for (const one of known) await update(one, { txt: '', accept: [400] }, signal);
    },
  };
}
