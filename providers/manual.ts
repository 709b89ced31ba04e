import { z } from 'zod';
import type { DnsProvider, ProviderTraits } from '../src/core/provider.ts';
import { defineDnsProvider } from '../src/plugin/define.ts';

const options = z.strictObject({});

type Options = z.infer<typeof options>;

const day = 86_400_000;

const traits: ProviderTraits = {
  model: 'opaque',
  serialize: 'none',
  batch: { maxChanges: 1000, atomic: false },
  maxValuesPerName: Number.POSITIVE_INFINITY,
  removeIsExact: true,
  rate: [],
  ttl: { min: 1, preferred: 300 },
  propagation: { signal: 'person', typicalMs: day / 24, timeoutMs: 7 * day },
};

export const manual = defineDnsProvider<Options>({
  name: 'manual',
  title: 'A person, who adds each record by hand',
  options,
  traits,
  notes: [
    'The notifiers of the domain, "acme-agent why NAME" and "acme-agent dns pending" tell which records to add; the order goes on by itself once all nameservers of the zone show them. It is told again once a day, and when they may go.',
    'A domain has to ask for it with "challenge: dns-01", for each order wants new records: http-01 needs nobody.',
    "Refused where the CA waits less than a day for a record, as Let's Encrypt does with the profiles tlsserver and shortlived.",
    'A CNAME from _acme-challenge.NAME into a zone of another account that the agent can write to needs a person only once; so does dns-persist-01.',
  ],
  create,
});

/** What is to be added and removed stands in the agent's journal; there is nobody to call. */
function create(): DnsProvider {
  return {
    traits,
    apply: async (_zone, changes) => ({ outcomes: changes.map(() => ({ ok: true as const })) }),
  };
}
