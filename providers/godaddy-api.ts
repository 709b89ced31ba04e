import { z } from 'zod';
import type { ProviderTraits } from '../src/core/provider.ts';
import type { Secret } from '../src/core/secret.ts';
import type { PluginContext } from '../src/plugin/context.ts';
import {
  createVendorApi,
  type VendorAnswer,
  type VendorApi,
  type VendorFault,
} from '../src/plugin/vendor-api.ts';

/** Here and below of both of its APIs: https://developer.godaddy.com/en/docs/references/rest/domains/v3/create-dns-record */
export const ttl = { min: 600, preferred: 600 };

export const traits = {
  serialize: 'name',
  batch: { maxChanges: 20, atomic: false },
  maxValuesPerName: Number.POSITIVE_INFINITY,
  removeIsExact: true,
  // Some 60 requests a minute: a change reads and writes.
  rate: [{ bucket: 'requests', perSecond: 0.5, burst: 20, costOf: 'change' }],
  ttl,
  propagation: { signal: 'authoritative', typicalMs: 30_000, timeoutMs: 1_200_000 },
} satisfies Omit<ProviderTraits, 'model'>;

/** Beyond, reading the zone costs less than asking for each name. */
export const mostNames = 3;

interface GodaddyAccess {
  /** With the version. */
  readonly baseUrl: string;
  authorization(): string;
  readonly secrets: readonly Secret<string>[];
}

/** What the two versions of its API have in common: the host, and how they refuse. */
export function createGodaddyApi(
  { baseUrl, authorization, secrets }: GodaddyAccess,
  context: PluginContext,
): VendorApi {
  return createVendorApi(
    {
      vendor: 'GoDaddy',
      baseUrl,
      auth: () => ({ authorization: authorization() }),
      secrets,
      fault,
      remedies: {
        'provider.forbidden':
          'check the scopes of the token, and whether GoDaddy opens its API to this account',
      },
    },
    context,
  );
}

const haste = z.object({ code: z.literal('TOO_MANY_REQUESTS'), retryAfterSec: z.number().optional() });

function fault({ body }: VendorAnswer): VendorFault | undefined {
  const parsed = haste.safeParse(body);
  if (!parsed.success) return undefined;
  const { retryAfterSec } = parsed.data;
  return {
    code: 'provider.throttled',
    ...(retryAfterSec !== undefined && { retryAfterMs: retryAfterSec * 1000 }),
  };
}
