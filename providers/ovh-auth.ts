import { createHash } from 'node:crypto';
import { z } from 'zod';
import { type Secret, secret } from '../src/core/secret.ts';
import type { Instant } from '../src/core/types.ts';
import type { PluginContext } from '../src/plugin/context.ts';
import { createSession } from '../src/plugin/session.ts';
import { createVendorApi, type VendorApiOptions } from '../src/plugin/vendor-api.ts';
import type { OutgoingRequest } from '../src/plugin/vendor-request.ts';

/** The three keys of an application: AK, AS and CK. */
export interface OvhKeys {
  readonly applicationKey: string;
  readonly applicationSecret: Secret<string>;
  readonly consumerKey: Secret<string>;
}

/** An OAuth 2 service account. */
export interface OvhClient {
  readonly clientId: string;
  readonly clientSecret: Secret<string>;
  readonly tokenUrl: string;
}

export type OvhAuth = Required<Pick<VendorApiOptions, 'auth' | 'session' | 'secrets'>>;

/** https://help.ovhcloud.com/csm/en-api-getting-started-ovhcloud-api: "$1$" and SHA-1 over all that is sent. */
export function signOvh(
  { method, url, body = '' }: OutgoingRequest,
  { applicationKey, applicationSecret, consumerKey }: OvhKeys,
  now: Instant,
): Readonly<Record<string, string>> {
  const seconds = String(Math.round(now / 1000));
  const parts = [applicationSecret.reveal(), consumerKey.reveal(), method, url.href, body, seconds];
  return {
    'x-ovh-application': applicationKey,
    'x-ovh-consumer': consumerKey.reveal(),
    'x-ovh-timestamp': seconds,
    'x-ovh-signature': `$1$${createHash('sha1').update(parts.join('+')).digest('hex')}`,
  };
}

const serverTime = z.number();

/**
 * Signs by our clock until OVH does not take that: then it is asked for its own, of which ours stays as far off for an hour.
 * `wasLate`: some refusal may have been for the time.
 */
export function byKeys(
  keys: OvhKeys,
  { baseUrl, wasLate }: { readonly baseUrl: string; readonly wasLate: () => boolean },
  context: PluginContext,
): OvhAuth {
  const { clock } = context;
  const api = createVendorApi({ vendor: 'OVHcloud', baseUrl }, context);
  let isAsked = false;
  const skew = createSession(async (signal) => {
    const seconds = await api.read(serverTime, { doing: 'to tell its time', path: '/auth/time' }, signal);
    return { value: seconds * 1000 - clock.now(), goodUntil: clock.now() + 3_600_000 };
  }, clock);
  return {
    async auth(request, signal) {
      const ahead = isAsked ? await skew.get(signal) : 0;
      return signOvh(request, keys, clock.now() + ahead);
    },
    session: {
      // 0: begun by our own clock.
      turn: () => (isAsked ? 1 + skew.turn() : 0),
      drop(begunAt) {
        if (!wasLate()) return false;
        if (begunAt > 0) return skew.drop(begunAt - 1);
        isAsked = true;
        return true;
      },
    },
    secrets: [keys.applicationSecret, keys.consumerKey],
  };
}

const token = z.object({ access_token: z.string(), expires_in: z.coerce.number() });

/** A token is not used in the last moments of its life. */
const marginSeconds = 60;

export function byToken({ clientId, clientSecret, tokenUrl }: OvhClient, context: PluginContext): OvhAuth {
  const { clock } = context;
  const api = createVendorApi(
    {
      vendor: 'OVHcloud',
      baseUrl: tokenUrl,
      secrets: [clientSecret],
      // invalid_client comes with 400 as well.
      fault: ({ status }) => (status === 400 ? { code: 'provider.auth' } : undefined),
    },
    context,
  );
  const session = createSession(async (signal) => {
    const form = {
      grant_type: 'client_credentials',
      client_id: clientId,
      client_secret: clientSecret.reveal(),
      scope: 'all',
    };
    const doing = `an access token to the client ${clientId}`;
    const { access_token, expires_in } = await api.read(token, { doing, path: '', form }, signal);
    return { value: secret(access_token), goodUntil: clock.now() + (expires_in - marginSeconds) * 1000 };
  }, clock);
  return {
    auth: async (_, signal) => ({ authorization: `Bearer ${(await session.get(signal)).reveal()}` }),
    session,
    secrets: [clientSecret],
  };
}
