import type { CaLimit, CaLimits, LimitName } from '../core/types.ts';

/** What the configuration file says of one issuer: its own numbers, or that a limit (or none at all) is to be kept. */
export type LimitsWish = 'off' | { readonly [Name in LimitName]?: CaLimit | 'off' | undefined };

const second = 1000;
const hour = 3600 * second;
const day = 24 * hour;

/** As the CAs document them, by the URL of their directory. */
const documented: Readonly<Record<string, CaLimits>> = {
  'https://acme-v02.api.letsencrypt.org/directory': {
    ordersPerAccount: { count: 300, perMs: 3 * hour },
    certificatesPerDomain: { count: 50, perMs: 7 * day },
    certificatesPerNames: { count: 5, perMs: 7 * day },
    failuresPerName: { count: 5, perMs: hour },
  },
  'https://acme-staging-v02.api.letsencrypt.org/directory': {
    ordersPerAccount: { count: 1500, perMs: 3 * hour },
    certificatesPerDomain: { count: 30_000, perMs: second },
    certificatesPerNames: { count: 30_000, perMs: 7 * day },
    failuresPerName: { count: 200, perMs: hour },
  },
};

/** What is documented for this CA, but for what the file says otherwise. Of a CA that is not known: what the file says. */
export function limitsOf(directoryUrl: string, wish: LimitsWish | undefined): CaLimits {
  if (wish === 'off') return {};
  const said = Object.entries(wish ?? {}).filter(([, limit]) => limit !== undefined);
  const all: Exclude<LimitsWish, 'off'> = { ...documented[directoryUrl], ...Object.fromEntries(said) };
  return Object.fromEntries(Object.entries(all).filter(([, limit]) => limit !== 'off'));
}
