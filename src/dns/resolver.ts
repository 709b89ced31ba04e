import { getServers } from 'node:dns';
import { isIP } from 'node:net';
import { AgentError } from '../core/errors.ts';
import type { Resolver } from '../core/plugin.ts';
import type { Ports } from '../core/ports.ts';
import { type NoAnswer, nobodyKnows } from './no-answer.ts';
import type { DnsReply } from './reply.ts';
import type { DnsServer } from './socket.ts';
import { type DnsQuestion, type QueryOptions, query, reasonOf } from './wire.ts';

/**
 * Asks recursive DNS servers. Every call rejects with `dns.query` when none of them knows: that is never "no such record".
 * The error has the remedy for what they said.
 */
export interface RecursiveResolver extends Resolver {
  /** The reply of the first server that says NOERROR or NXDOMAIN. */
  ask(question: DnsQuestion, signal: AbortSignal): Promise<DnsReply>;
  /** What each server that answers at all says, whatever it is. */
  each(
    question: DnsQuestion,
    options: Required<Pick<QueryOptions, 'signatures'>>,
    signal: AbortSignal,
  ): Promise<readonly DnsReply[]>;
}

const timeoutMs = 2500;
const rounds = 2;
/** Nobody is asked any more after so long: a job waits. */
const enoughMs = 7000;
const never = new AbortController().signal;

/** `servers`: as `parseServer` reads them; those of the system when there is none. */
export function createResolver(
  options: { readonly servers: readonly string[] },
  { clock }: Pick<Ports, 'clock'>,
): RecursiveResolver {
  const servers = (options.servers.length === 0 ? getServers() : options.servers).map(parseServer);
  // A dead first server should cost its time-out once, not with every question.
  let preferred = 0;

  async function ask(question: DnsQuestion, signal: AbortSignal): Promise<DnsReply> {
    const first = preferred;
    const until = clock.now() + enoughMs;
    const heard: NoAnswer[] = [];
    for (let turn = 0; turn < servers.length * rounds && clock.now() < until; turn++) {
      const index = (first + turn) % servers.length;
      const server = servers[index];
      if (server === undefined) break;
      const reply = await tryServer(server, question, { signal });
      if (!('says' in reply)) {
        preferred = index;
        return reply;
      }
      heard.push(reply);
    }
    throw nobodyKnows(question, await Promise.all(heard.map((one) => examined(one, question, signal))));
  }

  /** The reply, or why there is none of use. */
  async function tryServer(
    server: DnsServer,
    question: DnsQuestion,
    options: Pick<QueryOptions, 'signal' | 'signatures'>,
  ): Promise<DnsReply | NoAnswer> {
    try {
      const reply = await query(server, question, { ...options, clock, rd: true, timeoutMs });
      if (reply.rcode === 'NOERROR' || reply.rcode === 'NXDOMAIN') return reply;
      return { server, says: reply.rcode };
    } catch (error) {
      if (options.signal.aborted) throw options.signal.reason;
      return { server, says: undefined, reason: reasonOf(error) };
    }
  }

  /** A server that has an answer as soon as signatures do not count says that they are wrong. */
  async function examined(heard: NoAnswer, question: DnsQuestion, signal: AbortSignal): Promise<NoAnswer> {
    if (heard.says !== 'SERVFAIL') return heard;
    const unchecked = await tryServer(heard.server, question, { signal, signatures: 'ignore' });
    return 'says' in unchecked ? heard : { ...heard, says: 'bogus' };
  }

  async function each(
    question: DnsQuestion,
    { signatures }: Pick<QueryOptions, 'signatures'>,
    signal: AbortSignal,
  ): Promise<readonly DnsReply[]> {
    const replies = servers.map((server) =>
      query(server, question, { clock, signal, rd: true, signatures, timeoutMs }).catch(() => undefined),
    );
    const answered = (await Promise.all(replies)).filter((reply) => reply !== undefined);
    signal.throwIfAborted();
    return answered;
  }

  async function addresses(host: string, signal = never): Promise<string[]> {
    const replies = await Promise.all([
      ask({ name: host, type: 'A' }, signal),
      ask({ name: host, type: 'AAAA' }, signal),
    ]);
    return replies.flatMap(({ answers }) =>
      answers.flatMap((record) => (record.type === 'A' || record.type === 'AAAA' ? [record.value] : [])),
    );
  }

  async function txt(name: string, signal = never): Promise<string[]> {
    const { answers } = await ask({ name, type: 'TXT' }, signal);
    return answers.flatMap((record) => (record.type === 'TXT' ? [record.value] : []));
  }

  return { ask, each, addresses, txt };
}

/** `192.0.2.1`, `192.0.2.1:5353`, `2001:db8::1` or `[2001:db8::1]:5353`. Throws `config.invalid` for anything else. */
export function parseServer(text: string): DnsServer {
  const parts = /^\[([^\]]+)\](?::(\d+))?$/.exec(text) ?? /^([^:]+)(?::(\d+))?$/.exec(text);
  const address = parts?.[1] ?? text;
  const port = parts?.[2] === undefined ? 53 : Number(parts[2]);
  if (isIP(address) !== 0 && port > 0 && port < 65_536) return { address, port };
  throw new AgentError(
    'config.invalid',
    `"${text}" is not the address of a DNS server; write 192.0.2.1, 192.0.2.1:5353 or [2001:db8::1]:5353`,
  );
}
