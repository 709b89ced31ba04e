import { createHash } from 'node:crypto';
import { isIP } from 'node:net';
import { AgentError } from '../core/errors.ts';
import type { AcmeOrder, AcmeSession, NewOrder } from '../core/ports.ts';
import { loadKey } from '../x509/key.ts';
import { type AccountNeeds, type OpenAccount, openAccount } from './account.ts';
import { chooseChain } from './alternates.ts';
import { type AcmeApi, type ApiAnswer, publicJwk } from './client.ts';
import type { Directory } from './directory.ts';
import { readAuthorization, readOrder } from './objects.ts';
import { problemType, retryAfter } from './problem.ts';

export interface SessionNeeds extends AccountNeeds {
  readonly preferredChain?: string | undefined;
  /** For orders that name none; left out where the CA does not list it. */
  readonly profile?: string | undefined;
}

/** Makes exactly the requests of the protocol: no HEAD, no look at the account, no poll of its own. */
export async function openSession(needs: SessionNeeds, signal: AbortSignal): Promise<AcmeSession> {
  const first = await needs.directory.get(signal);
  const directory = (): Directory => needs.directory.latest() ?? first;
  const { account, call } = await openCaller(needs, signal);
  const thumbprint = thumbprintOf(account());
  const orders = createOrders(needs, call);
  return {
    issuer: needs.issuer,
    get accountUrl() {
      return account().url;
    },
    get profiles() {
      return directory().profiles;
    },
    get hasRenewalInfo() {
      return directory().resources.renewalInfo !== undefined;
    },
    get caaIdentities() {
      return directory().caaIdentities;
    },
    keyAuthorization: (token) => `${token}.${thumbprint}`,
    newOrder(wanted, abort) {
      const usual = directory().profiles.find((one) => one === needs.profile);
      return orders.create({ ...wanted, profile: wanted.profile ?? usual }, abort);
    },
    order: orders.get,
    finalize: orders.finalize,
    async authorization(url, abort) {
      return readAuthorization((await call(abort, (api) => api.getAuthorization(url))).data, url);
    },
    respond: (challengeUrl, abort) => call(abort, (api) => respond(api, challengeUrl)),
    certificate: (issued, abort) => call(abort, (api) => download(api, issued, { needs, signal: abort })),
  };
}

type Call = <T>(signal: AbortSignal, run: (api: AcmeApi) => Promise<T>) => Promise<T>;

/** Calls as the account. When the CA has forgotten it, it is registered again; the key, and so the thumbprint, stays. */
async function openCaller(
  needs: SessionNeeds,
  signal: AbortSignal,
): Promise<{ readonly account: () => OpenAccount; readonly call: Call }> {
  let account = await openAccount(needs, undefined, signal);
  return {
    account: () => account,
    async call(abort, run) {
      const { client, url } = account;
      try {
        return await run(client.api(abort));
      } catch (error) {
        if (problemType(error) !== 'accountDoesNotExist') throw error;
        needs.log.warn({ issuer: needs.issuer, account: url }, 'the CA does not know the account any more');
        if (account.url === url) account = await openAccount(needs, url, abort);
        return run(account.client.api(abort));
      }
    },
  };
}

interface Orders {
  create(wanted: NewOrder, signal: AbortSignal): Promise<AcmeOrder>;
  get(url: string, signal: AbortSignal): Promise<AcmeOrder>;
  finalize(order: AcmeOrder, csrDer: Uint8Array, signal: AbortSignal): Promise<AcmeOrder>;
}

function createOrders({ issuer, clock }: SessionNeeds, call: Call): Orders {
  function orderFrom(url: string, { data, answer }: ApiAnswer): AcmeOrder {
    return readOrder(data, url, retryAfter(answer, clock.now()));
  }

  async function get(url: string, signal: AbortSignal): Promise<AcmeOrder> {
    return orderFrom(url, await call(signal, (api) => api.getOrder(url)));
  }

  return {
    get,
    async create(wanted, signal) {
      const answer = await call(signal, (api) => api.createOrder(orderPayload(wanted)));
      const { location } = answer.headers;
      if (location !== undefined) return orderFrom(location, answer);
      throw new AgentError('acme.response', `${issuer} answered newOrder without the URL of the order`);
    },
    async finalize({ url, finalize }, csrDer, signal) {
      const csr = Buffer.from(csrDer).toString('base64url');
      try {
        return orderFrom(url, await call(signal, (api) => api.finalizeOrder(finalize, { csr })));
      } catch (error) {
        // Also what a CA says that took an earlier try whose answer was lost: the order tells.
        if (problemType(error) !== 'orderNotReady') throw error;
        const now = await get(url, signal);
        if (now.status === 'pending' || now.status === 'ready') throw error;
        return now;
      }
    },
  };
}

function orderPayload({ names, profile, replaces }: NewOrder): object {
  return {
    identifiers: names.map((value) => ({ type: isIP(value) ? 'ip' : 'dns', value })),
    ...(profile === undefined ? {} : { profile }),
    ...(replaces === undefined ? {} : { replaces }),
  };
}

/** A challenge that was answered already counts as answered: jobs run twice, and answers get lost. */
async function respond(api: AcmeApi, challengeUrl: string): Promise<void> {
  try {
    await api.completeChallenge(challengeUrl, {});
  } catch (error) {
    if (problemType(error) !== 'malformed') throw error;
    const { data } = await api.apiRequest(challengeUrl, null, [200]);
    const status = typeof data === 'object' && data !== null && 'status' in data ? data.status : undefined;
    if (status === 'pending' || status === undefined) throw error;
  }
}

async function download(
  api: AcmeApi,
  order: AcmeOrder,
  { needs, signal }: { readonly needs: SessionNeeds; readonly signal: AbortSignal },
): Promise<string> {
  if (order.certificate === undefined) {
    throw new AgentError(
      'acme.response',
      `the order ${order.url} is ${order.status} and names no certificate`,
    );
  }
  const { answer } = await api.apiRequest(order.certificate, null, [200]);
  const { preferredChain, log, issuer } = needs;
  if (preferredChain === undefined) return answer.text;
  return chooseChain(answer, preferredChain, {
    fetch: async (url) => (await api.apiRequest(url, null, [200])).answer.text,
    log: log.child({ issuer }),
    signal,
  });
}

function thumbprintOf({ keyDer }: OpenAccount): string {
  return createHash('sha256')
    .update(JSON.stringify(publicJwk(loadKey(keyDer))))
    .digest('base64url');
}
