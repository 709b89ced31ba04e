import type { KeyObject } from 'node:crypto';
import { Client } from 'acme-client';
import { AgentError, isAgentError } from '../core/errors.ts';
import { publicJwk } from '../x509/jwk.ts';
import type { AcmeApi, AcmeHttp, HookedClient } from './library.ts';
import { withRetries } from './retry.ts';
import { type ClientNeeds, getNonce, request, signedRequest } from './signed-request.ts';

/** acme-client for one account, on our transport. */
export interface AccountClient {
  /** Every request of the API returned here obeys the signal and rejects with AgentError. */
  api(signal: AbortSignal): AcmeApi;
  setAccountUrl(url: string): void;
  /** Asks the CA to know the account by another key (RFC 8555 §7.3.5); once it does, make a client from that key. */
  changeKey(next: KeyObject, signal: AbortSignal): Promise<void>;
}

/**
 * acme-client signs, binds and shapes the requests; how they travel is ours. Its 5.4.0 keeps what we replace in the open
 * fields `http` and `api` of the instance; a contract test notices when that changes. Its own key change would put fresh
 * ones there that nobody hooked: after one, make a new client from the new key.
 */
export function createClient(key: KeyObject, needs: ClientNeeds): AccountClient {
  const client = clientWith(key);
  return {
    api: (signal) => hook(client, needs, signal),
    setAccountUrl(url) {
      client.api.accountUrl = url;
    },
    changeKey: (next, signal) => changeKey(hook(client, needs, signal), next, needs),
  };
}

/** With a parsed key: acme-client would decode the PEM for each signature, which takes ten times as long as signing. */
function clientWith(key: KeyObject): HookedClient {
  const client = new Client({ directoryUrl: 'unused:', accountKey: Buffer.alloc(0) }) as HookedClient;
  client.http.accountKey = key;
  client.http.jwk = publicJwk(key);
  return client;
}

/** The new key signs a statement about the old one, and that the old key signs as any request. */
async function changeKey(api: AcmeApi, next: KeyObject, { issuer }: ClientNeeds): Promise<void> {
  const { keyChange } = await api.http.getDirectory();
  if (keyChange === undefined)
    throw new AgentError('command.conflict', `${issuer} does not let an account change its key`);
  const statement = { account: api.getAccountUrl(), oldKey: api.http.getJwk() };
  const signed = clientWith(next).http.createSignedBody(keyChange, statement, { kid: null });
  await api.apiRequest(keyChange, signed);
}

/** A view on the client's own objects, so that a call carries its signal through acme-client, which knows none. */
function hook(client: HookedClient, needs: ClientNeeds, signal: AbortSignal): AcmeApi {
  const http: AcmeHttp = Object.create(client.http);
  const api: AcmeApi = Object.create(client.api);
  http.request = (url, method, options) => request(needs, { url, method, ...options }, signal);
  http.getNonce = (patienceMs) => getNonce(http, needs, patienceMs);
  http.getDirectory = async () => (await needs.directory.get(signal)).resources;
  api.http = http;
  api.apiRequest = async (url, payload = null, _expected = [], options = {}) => {
    const { includeJwsKid: withKid = true, includeExternalAccountBinding: bound = false } = options;
    const mayRepeat = options.mayRepeat === undefined ? undefined : mayOrderAgain(options.mayRepeat);
    const send = (to: string) => {
      const run = (spentMs: number) =>
        signedRequest(api, needs, { url: to, payload, withKid, bound, spentMs });
      if (isAdvisory(payload)) return run(0);
      return withRetries({ run, mayRepeat }, needs.clock, signal);
    };
    try {
      return await send(url);
    } catch (error) {
      const moved = await movedTo({ url, error }, needs, signal);
      if (moved === undefined) throw error;
      return send(moved);
    }
  };
  return api;
}

/** An order with `replaces` that a CA stumbles over is worth repeating without it, which its caller does. */
function isAdvisory(payload: object | null): boolean {
  return payload !== null && 'replaces' in payload;
}

/**
 * The CA may have made an order without our hearing of it: another request for it is for the caller to allow, and after a
 * second lost answer the caller comes back later.
 */
function mayOrderAgain(allowed: () => Promise<boolean>): (error: unknown) => Promise<boolean> {
  let lost = 0;
  return async (error) => {
    if (!isAgentError(error)) return false;
    const { mayHaveArrived, status } = error.facts;
    if (mayHaveArrived === true && ++lost > 1) return false;
    return mayHaveArrived === true || Number(status) >= 500 ? allowed() : true;
  };
}

/** Where to send a call whose URL, or the nonce's, has left the directory; undefined when that is not why it failed. */
async function movedTo(
  { url, error }: { readonly url: string; readonly error: unknown },
  { directory }: ClientNeeds,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (!(error instanceof AgentError) || error.facts.status !== 404) return undefined;
  const before = directory.latest()?.resources ?? {};
  const nameOf = (wanted: unknown) => Object.keys(before).find((name) => before[name] === wanted);
  const gone = nameOf(error.facts.url);
  if (gone === undefined) return undefined;
  const after = (await directory.refresh(signal)).resources;
  if (after[gone] === before[gone]) return undefined;
  const name = nameOf(url);
  return name === undefined ? url : after[name];
}
