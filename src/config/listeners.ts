import { z } from 'zod';
import { httpsRedirects } from '../core/https-redirect.ts';
import { endpoint, ownAddress, port, range } from './fields.ts';

/** The listeners of the configuration file, and what is answered there. */

/** YAML reads `off` and numbers as what they are, or as text. */
export const redirect = z.union(
  [
    z.enum(httpsRedirects),
    z.literal(false).transform(() => 'off' as const),
    z.int().transform(String).pipe(z.enum(httpsRedirects)),
  ],
  { error: 'must be 301, 302, 307, 308, 426 (Upgrade Required) or off' },
);

/** RFC 6797 §6.1; the list that browsers come with takes only what is told for a year and for all subdomains. */
const hsts = z
  .strictObject({
    days: z.number().min(0).max(3650).default(180),
    includeSubDomains: z.boolean().default(false),
    preload: z.boolean().default(false),
  })
  .refine(({ days, includeSubDomains, preload }) => !preload || (includeSubDomains && days >= 365), {
    path: ['preload'],
    error: 'needs includeSubDomains: true and days of at least 365',
  });

export const http01 = z
  .strictObject({
    port: port.default(80),
    address: ownAddress,
    httpsPort: port.default(443),
    trustedProxies: z.array(range).default([]),
    hsts: hsts.optional(),
  })
  .prefault({});

export const tlsAlpn01 = z
  .strictObject({
    port: port.default(443),
    address: ownAddress,
    forward: endpoint.optional(),
    proxyProtocol: z.boolean().default(false),
  })
  .optional();
