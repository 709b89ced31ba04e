import { isIP } from 'node:net';
import { addressText } from '../core/address.ts';
import { AgentError } from '../core/errors.ts';
import type { Clock, ProbeQuestion, Prober, Sight } from '../core/ports.ts';
import { createSlots } from '../core/slots.ts';
import { deadline, inTime } from '../core/wait.ts';
import { servedFacts } from '../x509/served.ts';
import { shownCertificates } from './probe-handshake.ts';

export interface ProberNeeds {
  readonly clock: Clock;
  /** All addresses of a host. */
  readonly resolve: (host: string) => Promise<readonly string[]>;
  /** Tells whether a stranger must not make us connect there. */
  readonly isPrivate: (address: string) => boolean;
}

/** For one address, its look-up included. */
const timeoutMs = 5_000;
/** For a whole look, the wait for its turn included. */
const inAllMs = 10_000;
const mostAddresses = 16;
/** Of all looks of this process. */
const mostAtOnce = 32;

/** Handshakes with servers, and nothing after them: no request is made. */
export function createProber({ clock, resolve, isPrivate }: ProberNeeds): Prober {
  const slots = createSlots(mostAtOnce);
  const soon = <T>(signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>) =>
    inTime({ clock, ms: timeoutMs, late: () => late(timeoutMs), signal }, work);

  async function addressesOf({ at, isUntrusted }: ProbeQuestion): Promise<readonly string[]> {
    const all = isIP(at.host) === 0 ? await resolve(at.host) : [at.host];
    const good = isUntrusted === true ? all.filter((address) => !isPrivate(address)) : all;
    if (all.length === 0) throw new Error('the name has no address');
    if (good.length === 0)
      throw new Error(`${[...new Set(all)].join(', ')}: a private or link-local address`);
    return [...new Set(good)].slice(0, mostAddresses);
  }

  async function lookAt(address: string, question: ProbeQuestion, signal: AbortSignal): Promise<Sight> {
    const { name, keyClass } = question;
    const at = { host: address, port: question.at.port };
    const seen = { address: addressText(at) };
    try {
      const free = await slots.take('probe', signal);
      try {
        const shown = await soon(signal, (both) => shownCertificates({ at, name, keyClass }, both));
        return { ...seen, kind: 'served', served: servedFacts(shown) };
      } finally {
        free();
      }
    } catch (error) {
      return { ...seen, ...refusalOf(error) };
    }
  }

  async function sightsOf(question: ProbeQuestion, signal: AbortSignal): Promise<readonly Sight[]> {
    try {
      const addresses = await soon(signal, () => addressesOf(question));
      return await Promise.all(addresses.map((address) => lookAt(address, question, signal)));
    } catch (error) {
      return [{ address: addressText(question.at), kind: 'unreachable', message: reasonOf(error) }];
    }
  }

  return {
    async look(question, signal) {
      const limit = deadline(clock, inAllMs, () => late(inAllMs));
      try {
        const sights = await sightsOf(question, AbortSignal.any([signal, limit.signal]));
        signal.throwIfAborted();
        return sights;
      } finally {
        limit.cancel();
      }
    },
  };
}

function late(ms: number): AgentError {
  return new AgentError('net.failed', `it did not answer within ${ms / 1000} s`);
}

/** A TLS alert with which servers answer when they have nothing for a client (RFC 8446 §6.2, RFC 6066 §3). */
const nothingFor = /HANDSHAKE_FAILURE|UNRECOGNIZED_NAME|ALERT_INTERNAL_ERROR/;

function refusalOf(error: unknown): { readonly kind: 'refused' | 'unreachable'; readonly message: string } {
  return { kind: nothingFor.test(codeOf(error)) ? 'refused' : 'unreachable', message: reasonOf(error) };
}

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'it hung up during the handshake',
  EHOSTUNREACH: 'there is no way to this host',
  ENETUNREACH: 'there is no way to this network',
  EADDRNOTAVAIL: 'this machine has no address of that kind',
  ENOTFOUND: 'the name has no address',
  EAI_AGAIN: 'the name could not be looked up',
  ETIMEDOUT: 'it did not answer',
  ERR_SSL_WRONG_VERSION_NUMBER: 'what answers there does not speak TLS',
};

function reasonOf(error: unknown): string {
  const known = reasons[codeOf(error)];
  if (known !== undefined) return known;
  if (!(error instanceof Error)) return String(error);
  // What OpenSSL says of an alert, without where in its sources.
  return 'reason' in error ? String(error.reason) : error.message;
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
