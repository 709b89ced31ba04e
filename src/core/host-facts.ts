/** What the DNS says about a host, as far as it can be had. */
export interface HostFacts {
  /** false: there is no such name. */
  readonly exists: boolean;
  /** IPv6 first. `owner`: where the record stands, at the end of any aliases. */
  readonly addresses: readonly HostAddress[];
  /** For each kind of record that cannot be had, what is wrong and what to do; whole sentences but for the first letter. */
  readonly trouble: readonly string[];
}

export interface HostAddress {
  readonly type: 'A' | 'AAAA';
  readonly owner: string;
  readonly address: string;
}
