import { z } from 'zod';
import type { Secret } from '../src/core/secret.ts';
import type { PluginContext } from '../src/plugin/context.ts';
import {
  createVendorApi,
  type VendorAnswer,
  type VendorApi,
  type VendorFault,
} from '../src/plugin/vendor-api.ts';

/** Of both of its APIs: https://developer.godaddy.com/en/docs/references/rest/domains/v3/create-dns-record */
export const ttl = { min: 600, preferred: 600 };

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
