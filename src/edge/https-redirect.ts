import type { IncomingMessage } from 'node:http';
import { createRangeCheck } from '../core/address.ts';
import { AgentError } from '../core/errors.ts';
import { type Hsts, readRedirect } from '../core/https-redirect.ts';
import type { Ports } from '../core/ports.ts';
import type { HttpsRedirect, Settings } from '../core/types.ts';
import { inTime } from '../core/wait.ts';
import { createLru } from './lru.ts';
import { type Answer, notFound } from './port80.ts';
import { type RequestTarget, readRequestTarget, urlHost } from './request-target.ts';

export interface HttpsRedirectOptions {
  /** Where clients reach HTTPS. */
  readonly httpsPort: number;
  /** Addresses and ranges of those who may say that a request came to them by HTTPS. */
  readonly trustedProxies: readonly string[];
  /** What a client that came by HTTPS is told; over plain HTTP no client believes it (RFC 6797 §8.1). */
  readonly hsts?: Hsts | undefined;
}

export type HttpsRedirectNeeds = Pick<
  Ports,
  'wishes' | 'certificates' | 'bindings' | 'renewals' | 'hostAsks' | 'clock'
> & { settings(): Settings };

/** What was read of a name counts so long. */
const believedMs = 5_000;
const mostNames = 10_000;
/** Names that are read at once; more are asked to come again, so that a flood of names is no flood at the store. */
const mostReading = 64;
/** Nobody waits longer for the store. */
const readMs = 2_000;

/**
 * Sends whoever came for a name of ours to HTTPS, with path and query; what else comes is not found. Rejects where the
 * store cannot be asked and nothing is known from before.
 */
export function createHttpsRedirect(
  options: HttpsRedirectOptions,
  needs: HttpsRedirectNeeds,
): (request: IncomingMessage) => Promise<Answer> {
  const isTrusted = createRangeCheck(options.trustedProxies);
  const redirectOf = createKnownRedirects(needs);

  return async (request) => {
    const target = readRequestTarget(request);
    if (target === undefined) return notFound;
    const redirect = await redirectOf(target.host);
    if (redirect === undefined || redirect === 'off') return notFound;
    const peer = request.socket.remoteAddress;
    const isSecure = peer !== undefined && isTrusted(peer) && cameByHttps(request);
    return isSecure ? overHttps(options) : toHttps(target, redirect, options);
  };
}

/** One value of one header: with more nobody knows who said what. */
function cameByHttps({ headersDistinct }: IncomingMessage): boolean {
  const [said, ...more] = headersDistinct['x-forwarded-proto'] ?? [];
  return more.length === 0 && said?.trim().toLowerCase() === 'https';
}

/** Who sends it on has come here once already. */
function overHttps({ hsts }: HttpsRedirectOptions): Answer {
  if (hsts === undefined) return notFound;
  const parts = [
    `max-age=${Math.round(hsts.days * 86_400)}`,
    ...(hsts.includeSubDomains ? ['includeSubDomains'] : []),
    ...(hsts.preload ? ['preload'] : []),
  ];
  return { ...notFound, headers: { 'strict-transport-security': parts.join('; ') } };
}

function toHttps(
  { host, path }: RequestTarget,
  redirect: Exclude<HttpsRedirect, 'off'>,
  { httpsPort }: HttpsRedirectOptions,
): Answer {
  if (redirect === '426') {
    // RFC 9110 §15.5.22: it says to what.
    const headers = { upgrade: 'TLS/1.2, HTTP/1.1', connection: 'Upgrade, close' };
    return { status: 426, headers, body: 'Please use HTTPS protocol.\n' };
  }
  const port = httpsPort === 443 ? '' : `:${httpsPort}`;
  const location = `https://${urlHost(host)}${port}${path}`;
  return { status: Number(redirect), headers: { location }, body: 'This is at https only.\n' };
}

function createKnownRedirects(needs: HttpsRedirectNeeds) {
  const { clock } = needs;
  const known = createLru<{ readonly redirect: HttpsRedirect | undefined; readonly until: number }>({
    most: mostNames,
    mostWeight: Number.POSITIVE_INFINITY,
  });
  const reading = new Map<string, Promise<HttpsRedirect | undefined>>();

  async function read(name: string): Promise<HttpsRedirect | undefined> {
    const redirect = await readRedirect(name, clock.now(), needs);
    known.set(name, { redirect, until: clock.now() + believedMs }, 0);
    return redirect;
  }

  function readOnce(name: string): Promise<HttpsRedirect | undefined> {
    const running = reading.get(name);
    if (running !== undefined) return running;
    if (reading.size >= mostReading)
      throw new AgentError('store.unavailable', 'too many names are asked for at once');
    const own = read(name).finally(() => reading.delete(name));
    reading.set(name, own);
    return own;
  }

  return async (name: string): Promise<HttpsRedirect | undefined> => {
    const found = known.get(name);
    if (found !== undefined && clock.now() < found.until) return found.redirect;
    const late = () => new AgentError('store.unavailable', `the store did not answer in ${readMs} ms`);
    try {
      return await inTime({ clock, ms: readMs, late }, async () => readOnce(name));
    } catch (error) {
      if (found === undefined) throw error;
      // Counts once more: while the store is silent the next client does not wait for it.
      known.set(name, { ...found, until: clock.now() + believedMs }, 0);
      return found.redirect;
    }
  };
}
