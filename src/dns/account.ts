import { AgentError } from '../core/errors.ts';
import type { DnsProvider } from '../core/provider.ts';
import { parseServer } from './resolver.ts';

/** A configured DNS account. */
export interface DnsAccount {
  readonly name: string;
  readonly provider: DnsProvider;
  /** Name of its provider, for people. */
  readonly kind?: string | undefined;
  /** Zones declared in the file: they come before what the DNS says. */
  readonly zones: readonly string[];
  /** Addresses of the authoritative servers of this account's zones, where the NS records lead elsewhere. */
  readonly nameservers?: readonly string[] | undefined;
}

export interface DnsAccounts {
  readonly all: readonly DnsAccount[];
  /** Throws `config.invalid` if the file does not define it. */
  get(name: string): DnsAccount;
}

/** Throws `config.invalid` for a nameserver that is no address. */
export function createAccounts(list: readonly DnsAccount[]): DnsAccounts {
  const byName = new Map(list.map((account) => [account.name, account]));
  for (const server of list.flatMap(({ nameservers = [] }) => nameservers)) parseServer(server);
  return {
    all: list,
    get(name) {
      const account = byName.get(name);
      if (account !== undefined) return account;
      const known = [...byName.keys()].join(', ') || 'none';
      throw new AgentError('config.invalid', `there is no DNS account "${name}" (configured: ${known})`, {
        facts: { account: name },
      });
    },
  };
}
