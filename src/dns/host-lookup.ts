import { isAgentError } from '../core/errors.ts';
import type { HostAddress, HostFacts } from '../core/host-facts.ts';
import type { DnsReply } from './reply.ts';
import type { RecursiveResolver } from './resolver.ts';

/** Rejects with the signal's reason only. */
export async function lookUpHost(
  name: string,
  resolver: Pick<RecursiveResolver, 'ask'>,
  signal: AbortSignal,
): Promise<HostFacts> {
  const replies = await Promise.all(
    (['AAAA', 'A'] as const).map((type) =>
      resolver.ask({ name, type }, signal).catch((error: unknown) => {
        if (!isAgentError(error, 'dns.query')) throw error;
        return `${error.message}. ${error.advice}`;
      }),
    ),
  );
  const had = replies.filter((reply) => typeof reply !== 'string');
  return {
    exists: had.length === 0 || had.some(({ rcode }) => rcode !== 'NXDOMAIN'),
    addresses: had.flatMap(addressesIn),
    trouble: replies.filter((reply) => typeof reply === 'string'),
  };
}

function addressesIn({ answers }: DnsReply): readonly HostAddress[] {
  return answers.flatMap((record) =>
    record.type === 'A' || record.type === 'AAAA'
      ? [{ type: record.type, owner: record.name, address: record.value }]
      : [],
  );
}
