/** What a DNS provider says of itself, in words. */
export interface DnsProviderFacts {
  /** Value of `provider:` in the configuration file. */
  readonly name: string;
  readonly title: string;
  /** The vendor's documentation. */
  readonly docs?: string | undefined;
  /** The vendor's page where credentials are made. */
  readonly credentials?: string | undefined;
  /** How records are written, and when they count as live: sentences. */
  readonly how: string;
  readonly options: readonly OptionFacts[];
  /** Least rights, ready to paste at the vendor. */
  readonly leastPrivilege?: string | undefined;
  /** Limits, pitfalls, unconfirmed facts. */
  readonly notes: readonly string[];
}

/** One key of an entry in the configuration file. */
export interface OptionFacts {
  /** With those above it: `tsig.secret`. */
  readonly name: string;
  /** What it may be: `text`, `secret`, the only values there are. */
  readonly value: string;
  readonly isRequired: boolean;
  /** As written; absent: none, or not a single value. */
  readonly default?: string | undefined;
  readonly summary: string;
}
