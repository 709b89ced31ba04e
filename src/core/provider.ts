import type { Instant } from './types.ts';

/** What a DNS provider is to the engine. Providers know DNS, not ACME. Names: lower-case A-labels, no trailing dot. */

export interface ZoneRef {
  readonly name: string;
  /** Vendor's own id, where it has one. */
  readonly id?: string | undefined;
}

export interface TxtChange {
  readonly op: 'add' | 'remove';
  readonly name: string;
  /** Unquoted; the provider quotes and splits as its vendor wants. */
  readonly value: string;
  /** Seconds; the engine never asks below `traits.ttl.min`. */
  readonly ttl: number;
  /** For a remove: what the add returned, if the vendor gave one and it was not lost. */
  readonly handle?: string | undefined;
}

export interface TxtRecord {
  readonly name: string;
  readonly value: string;
  readonly ttl?: number | undefined;
  readonly handle?: string | undefined;
  /** When it was last changed, where the vendor says that. */
  readonly changedAt?: Instant | undefined;
}

/** One a change, in order. A refusal of a single change is an outcome; a failed call is a rejection with AgentError. */
export type ChangeOutcome =
  | { readonly ok: true; readonly handle?: string | undefined }
  | { readonly ok: false; readonly error: Error };

export interface ApplyResult {
  readonly outcomes: readonly ChangeOutcome[];
  /** For `live`: the vendor can say when this call is served everywhere. */
  readonly ticket?: string | undefined;
}

export interface DnsProvider {
  readonly traits: ProviderTraits;
  /** The zone that holds `name`, the longest that the account has; undefined: none. Absent: the engine walks SOA. */
  findZone?(name: string, signal: AbortSignal): Promise<ZoneRef | undefined>;
  /**
   * Adding a value that is there and removing one that is not are successes; other values at the name stay.
   * The engine calls it with no more changes than `traits.batch` allows and one at a time per `traits.serialize`.
   * Throws AgentError `provider.*`; if `traits.batch.atomic`, a rejection with `provider.invalid` means that nothing was changed.
   */
  apply(zone: ZoneRef, changes: readonly TxtChange[], signal: AbortSignal): Promise<ApplyResult>;
  /** True once what `ticket` stands for is served by the vendor's authoritative servers. */
  live?(ticket: string, signal: AbortSignal): Promise<boolean>;
  /** TXT records at these names; all of the zone when `names` is undefined. */
  listTxt?(
    zone: ZoneRef,
    names: readonly string[] | undefined,
    signal: AbortSignal,
  ): Promise<readonly TxtRecord[]>;
  /** Credentials, rights, clock, reachability; throws AgentError with what is wrong. */
  check?(signal: AbortSignal): Promise<void>;
  close?(): Promise<void>;
}

export interface ProviderTraits {
  /** records: one call a value by id · rrset-atomic: server adds and removes values · rrset-cas: compare and set · rrset-replace: read, modify, write · zone-replace: whole zone · opaque: a program, or somebody's own server. */
  readonly model: 'records' | 'rrset-atomic' | 'rrset-cas' | 'rrset-replace' | 'zone-replace' | 'opaque';
  /** What two calls at once must not share. */
  readonly serialize: 'none' | 'name' | 'zone' | 'account';
  readonly batch: {
    readonly maxChanges: number;
    /** Greatest sum of `costOf` over a call, where the vendor counts something else than changes. */
    readonly maxCost?: number | undefined;
    readonly costOf?: ((change: TxtChange) => number) | undefined;
    /** All or nothing. */
    readonly atomic: boolean;
  };
  readonly maxValuesPerName: number;
  /** false: removing a value takes its neighbours at the name with it. */
  readonly removeIsExact: boolean;
  /** true: a value that was removed stands until others take its place. */
  readonly keepsRemoved?: boolean | undefined;
  readonly rate: readonly {
    readonly bucket: string;
    readonly perSecond: number;
    readonly burst: number;
    readonly costOf: 'call' | 'change';
  }[];
  /** Seconds. */
  readonly ttl: { readonly min: number; readonly preferred: number };
  /**
   * signal api: `live` decides · authoritative: the zone's servers are asked · delay: wait `typicalMs` ·
   * person: somebody adds and removes the records by hand, so `apply` changes nothing; the zone's servers are asked, seldom.
   */
  readonly propagation: {
    readonly signal: 'api' | 'authoritative' | 'delay' | 'person';
    readonly typicalMs: number;
    readonly timeoutMs: number;
  };
}
