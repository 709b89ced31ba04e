import { isAgentError } from '../core/errors.ts';
import type { DnsReply } from './reply.ts';
import type { RecursiveResolver } from './resolver.ts';

/** What the DNS says about a host, as far as it can be had. */
export interface HostFacts {
  /** false: there is no such name. */
  readonly exists: boolean;
  /** IPv6 first. `owner`: where the record stands, at the end of any aliases. */
  readonly addresses: readonly HostAddress[];
  /** In words, for each kind of record that cannot be had. */
  readonly trouble: readonly string[];
}

export interface HostAddress {
  readonly type: 'A' | 'AAAA';
  readonly owner: string;
  readonly address: string;
}

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
        return error.message;
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
