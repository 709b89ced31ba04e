import { getServers } from 'node:dns';
import { isIP } from 'node:net';
import { AgentError, toAgentError } from '../core/errors.ts';
import type { Resolver } from '../core/plugin.ts';
import type { Ports } from '../core/ports.ts';
import type { DnsReply } from './reply.ts';
import type { DnsServer } from './socket.ts';
import { type DnsQuestion, describeServer, type QueryOptions, query } from './wire.ts';

/** Asks recursive DNS servers. Every call rejects with `dns.query` when none of them knows: that is never "no such record". */
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
    let trouble = 'no DNS server is configured';
    for (let turn = 0; turn < servers.length * rounds; turn++) {
      const index = (first + turn) % servers.length;
      const reply = await tryServer(servers[index], question, signal);
      if (typeof reply !== 'string') {
        preferred = index;
        return reply;
      }
      trouble = reply;
    }
    throw new AgentError(
      'dns.query',
      `nobody can say what ${question.name} ${question.type} is: ${trouble}`,
      {
        facts: { name: question.name, type: question.type },
      },
    );
  }

  /** The reply, or in words why it is of no use. */
  async function tryServer(
    server: DnsServer | undefined,
    question: DnsQuestion,
    signal: AbortSignal,
  ): Promise<DnsReply | string> {
    if (server === undefined) return 'no DNS server is configured';
    try {
      const reply = await query(server, question, { clock, signal, rd: true, timeoutMs });
      if (reply.rcode === 'NOERROR' || reply.rcode === 'NXDOMAIN') return reply;
      return `${describeServer(server)} answered ${reply.rcode}`;
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      return toAgentError(error).message;
    }
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
