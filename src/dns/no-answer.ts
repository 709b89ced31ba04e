import { AgentError } from '../core/errors.ts';
import type { DnsServer } from './socket.ts';
import { type DnsQuestion, describeServer } from './wire.ts';

/** What came from a resolver that does not know. */
export interface NoAnswer {
  readonly server: DnsServer;
  /** Its rcode; bogus: a SERVFAIL that is none where signatures do not count; undefined: nothing came. */
  readonly says: string | undefined;
  /** Of what came instead of an answer. */
  readonly reason?: string | undefined;
}

/** What each means for those who can mend it, what is surest first. */
const remedies = [
  [
    'bogus',
    'Sign the zone anew, or remove its DS records at the registrar: whoever checks signatures, as every CA does, refuses its answers.',
  ],
  [
    'SERVFAIL',
    'The resolver gets no sound answer from the nameservers of that zone: mend them, or the delegation to them. Where other names fail too, it is the resolver: name another one under "resolvers".',
  ],
  [
    'REFUSED',
    'That resolver does not serve this machine: allow it there (BIND: allow-recursion), or name another one under "resolvers".',
  ],
] as const;

const noResolver = 'What answers there is no resolver: name one under "resolvers".';

/** Nobody knows: `dns.query`, with what each said, once, and the remedy that fits. */
export function nobodyKnows({ name, type }: DnsQuestion, heard: readonly NoAnswer[]): AgentError {
  const words = heard.length === 0 ? ['no DNS server is configured'] : [...new Set(heard.map(wordsOf))];
  const fitting = remedies.find(([says]) => heard.some((one) => one.says === says))?.[1];
  const isSilence = heard.every(({ says }) => says === undefined);
  return new AgentError('dns.query', `nobody can say what ${name} ${type} is: ${words.join('; ')}`, {
    facts: { name, type, answers: [...new Set(heard.map(({ says }) => says ?? 'none'))] },
    advice: fitting ?? (isSilence ? undefined : noResolver),
  });
}

function wordsOf({ server, says, reason }: NoAnswer): string {
  const who = describeServer(server);
  if (says === undefined) return `${who} does not answer (${reason})`;
  if (says === 'bogus') return `${who} finds wrong DNSSEC signatures (SERVFAIL)`;
  if (says === 'SERVFAIL') return `${who} cannot find it out (SERVFAIL)`;
  return says === 'REFUSED' ? `${who} refuses to answer (REFUSED)` : `${who} answers ${says}`;
}
