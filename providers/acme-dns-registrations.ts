import { z } from 'zod';
import { parentOf } from '../src/core/names.ts';
import type { PluginState } from '../src/core/plugin.ts';
import { secretText } from '../src/plugin/fields.ts';
import type { VendorApi } from '../src/plugin/vendor-api.ts';

const dnsName = z
  .string()
  .min(1)
  .overwrite((text) => text.toLowerCase().replace(/\.$/, ''));

/** What the server answers to POST /register; other fields are those of clients that keep it. */
export const registration = z.object({
  username: z.string().min(1),
  password: secretText(),
  subdomain: z.string().min(1),
  fulldomain: dnsName,
});

export type Registration = z.infer<typeof registration>;

interface Wanted {
  readonly registrations: Readonly<Record<string, Registration>>;
  readonly register: boolean;
  readonly allowFrom: readonly string[];
}

const challenge = /^_acme-challenge\./;

/** Those of the configuration, and those that were made for names which had none: they are kept in the store. */
export function createRegistrations(
  { registrations, register, allowFrom }: Wanted,
  { api, state }: { readonly api: VendorApi; readonly state: PluginState },
) {
  const byDomain = new Map(Object.entries(registrations).map(([key, one]) => [dnsName.parse(key), one]));
  const configured = [...byDomain.values()];

  async function kept(key: string): Promise<Registration | undefined> {
    const text = await state.get(key);
    return text === undefined ? undefined : registration.parse(JSON.parse(text));
  }

  async function at(fulldomain: string): Promise<Registration | undefined> {
    return configured.find((one) => one.fulldomain === fulldomain) ?? kept(`at ${fulldomain}`);
  }

  async function registerFor(name: string, signal: AbortSignal): Promise<Registration> {
    const json = allowFrom.length === 0 ? {} : { allowfrom: allowFrom };
    const request = { doing: `to register ${name}`, path: '/register', json };
    const answer = await api.send(request, signal);
    const made = api.parse(registration, answer, request.doing);
    const text = JSON.stringify({ ...made, password: made.password.reveal() });
    await state.set(`at ${made.fulldomain}`, text);
    await state.set(`for ${name}`, text);
    return made;
  }

  return {
    at,
    /** The zone that the server answers for, if it is `name`, or has it as the name of a registration. */
    async zoneOf(name: string): Promise<string | undefined> {
      if (configured.some(({ fulldomain }) => parentOf(fulldomain) === name)) return name;
      return (await at(name)) === undefined ? undefined : parentOf(name);
    },
    /** Where a challenge name that does not lead to the server must lead; undefined: it is nothing of ours. */
    async cnameFor(name: string, signal: AbortSignal): Promise<string | undefined> {
      if (!challenge.test(name)) return undefined;
      const own = byDomain.get(name.replace(challenge, '')) ?? (await kept(`for ${name}`));
      return (own ?? (register ? await registerFor(name, signal) : undefined))?.fulldomain;
    },
  };
}
