import { z } from 'zod';
import { AgentError, isAgentError } from '../src/core/errors.ts';
import { type Secret, secret } from '../src/core/secret.ts';
import { orAborted } from '../src/core/wait.ts';
import type { PluginContext } from '../src/plugin/context.ts';
import type { Opened } from '../src/plugin/session.ts';
import { createVendorApi, type VendorApiOptions } from '../src/plugin/vendor-api.ts';
import { stepMs, totpCode } from './totp.ts';

export interface InwxLogin {
  readonly username: string;
  readonly password: Secret<string>;
  readonly sharedSecret?: Secret<string> | undefined;
}

const login = z.object({ resData: z.object({ tfa: z.union([z.string(), z.number()]).default('0') }) });

/** How long INWX keeps a session that is not used is not documented; when it does not know it any more, it says so. */
const sessionMs = 20 * 60_000;

/** Logs in; where the account asks for a second factor, with a code of the shared secret. The value is a Cookie header. */
export function createInwxLogin(
  { username, password, sharedSecret }: InwxLogin,
  options: Pick<VendorApiOptions, 'vendor' | 'baseUrl' | 'fault'>,
  context: PluginContext,
): (signal: AbortSignal) => Promise<Opened<Secret<string>>> {
  const { clock } = context;
  const secrets = [password, ...(sharedSecret === undefined ? [] : [sharedSecret])];
  const api = createVendorApi({ ...options, secrets }, context);

  async function unlock(cookie: Secret<string>, signal: AbortSignal): Promise<void> {
    if (sharedSecret === undefined)
      throw new AgentError(
        'provider.auth',
        'INWX asks for a second factor; give the shared secret of the authenticator as "sharedSecret", or use a sub-account without one',
      );
    const tan = totpCode(sharedSecret.reveal(), clock.now());
    const json = { method: 'account.unlock', params: { tan } };
    const headers = { cookie: cookie.reveal() };
    await api.send({ doing: 'to log in with a code', path: '/', json, headers, secrets: [cookie] }, signal);
  }

  /** A code is good once: another agent may have used it a moment ago. Then the next one is. */
  async function unlockInTurn(cookie: Secret<string>, signal: AbortSignal): Promise<void> {
    try {
      await unlock(cookie, signal);
    } catch (error) {
      if (sharedSecret === undefined || !isAgentError(error, 'provider.auth')) throw error;
      await clock.sleep(stepMs - (clock.now() % stepMs), signal);
      await unlock(cookie, signal);
    }
  }

  return async (signal) => {
    const json = { method: 'account.login', params: { user: username, pass: password.reveal(), lang: 'en' } };
    const doing = 'to log in';
    const answer = await api.send({ doing, path: '/', json }, signal);
    const { resData } = api.parse(login, answer, doing);
    const id = /(?:^|[\s,])domrobot=([^;,\s]+)/.exec(answer.headers['set-cookie'] ?? '')?.[1];
    if (id === undefined)
      throw new AgentError('provider.unavailable', 'INWX logs in without a session; check "baseUrl"');
    const cookie = secret(`domrobot=${id}`);
    if (String(resData.tfa) !== '0') await orAborted(unlockInTurn(cookie, signal), signal);
    return { value: cookie, goodUntil: clock.now() + sessionMs };
  };
}
