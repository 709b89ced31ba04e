import { isIP } from 'node:net';
import { AgentError } from '../core/errors.ts';
import type { AcmeOrder, AcmeSession, NewOrder } from '../core/ports.ts';
import type { ProfileWish } from '../core/types.ts';
import { thumbprint as thumbprintOf } from '../x509/jwk.ts';
import { loadKey } from '../x509/key.ts';
import type { OpenAccount } from './account.ts';
import type { AccountNeeds } from './account-record.ts';
import { chooseChain } from './alternates.ts';
import { type Call, openCaller } from './caller.ts';
import type { Directory } from './directory.ts';
import type { AcmeApi, ApiAnswer } from './library.ts';
import { readAuthorization, readOrder } from './objects.ts';
import { problemType, retryAfter } from './problem.ts';

export interface SessionNeeds extends AccountNeeds {
  readonly preferredChain?: string | undefined;
  readonly usualProfile?: ProfileWish | undefined;
}

/** What this layer itself needs of a session beside what the core does. */
export interface OpenSession extends AcmeSession {
  /** A call signed as the account. */
  readonly call: Call;
}

/** Makes exactly the requests of the protocol: no HEAD, no look at the account, no poll of its own. */
export async function openSession(needs: SessionNeeds, signal: AbortSignal): Promise<OpenSession> {
  const first = await needs.directory.get(signal);
  const directory = (): Directory => needs.directory.latest() ?? first;
  const { account, call } = await openCaller(needs, signal);
  const thumbprint = createThumbprint(account);
  const orders = createOrders(needs, call);
  return {
    issuer: needs.issuer,
    get accountUrl() {
      return account().url;
    },
    get profiles() {
      return directory().profiles;
    },
    usualProfile: needs.usualProfile,
    get hasRenewalInfo() {
      return directory().resources.renewalInfo !== undefined;
    },
    get caaIdentities() {
      return directory().caaIdentities;
    },
    keyAuthorization: (token) => `${token}.${thumbprint()}`,
    newOrder: orders.create,
    order: orders.get,
    finalize: orders.finalize,
    authorization: async (url, abort) =>
      readAuthorization((await call(abort, (api) => api.getAuthorization(url))).data, url),
    async respond(challengeUrl, abort) {
      const presented = thumbprint();
      await call(abort, async (api) => {
        if (thumbprint() !== presented) throw answeredWithOldKey(needs.issuer);
        await respond(api, challengeUrl);
      });
    },
    certificate: (issued, abort) => call(abort, (api) => download(api, issued, { needs, signal: abort })),
    call,
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
      const { mayRepeat = async () => true } = wanted;
      const answer = await call(signal, async (api) => {
        const { newOrder = '' } = await api.http.getDirectory();
        return api.apiRequest(newOrder, orderPayload(wanted), [201], { mayRepeat });
      });
      const { location } = answer.headers;
      if (location === undefined)
        throw new AgentError('acme.response', `${issuer} answered newOrder without the URL of the order`);
      try {
        return orderFrom(location, answer);
      } catch {
        // The order is there, whatever became of this answer; another one would count as well.
        return get(location, signal);
      }
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
    const { data } = await api.apiRequest(challengeUrl);
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
  const { answer } = await api.apiRequest(order.certificate);
  const { preferredChain, log, issuer } = needs;
  if (preferredChain === undefined) return answer.text;
  return chooseChain(answer, preferredChain, {
    fetch: async (url) => (await api.apiRequest(url)).answer.text,
    log: log.child({ issuer }),
    signal,
  });
}

/** The CA would compare what was presented with the new key, and find it wrong. */
function answeredWithOldKey(issuer: string): AgentError {
  return new AgentError(
    'store.conflict',
    `the account at ${issuer} got another key in the middle of an order`,
  );
}

/** RFC 7638, of the account's key as it is now. */
function createThumbprint(account: () => OpenAccount): () => string {
  let made: { readonly of: OpenAccount; readonly thumbprint: string } | undefined;
  return () => {
    const of = account();
    if (made?.of !== of) made = { of, thumbprint: thumbprintOf(loadKey(of.keyDer)) };
    return made.thumbprint;
  };
}
