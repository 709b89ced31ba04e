import type { Instant } from './types.ts';

/** Where a TXT value stands that nobody of ours put there. */
export interface Leftover {
  readonly account: string;
  readonly zone: string;
  readonly name: string;
  readonly value: string;
  /** Vendor's own ids of zone and record, where it has any. */
  readonly zoneId?: string | undefined;
  readonly handle?: string | undefined;
  /** When it was last changed; absent: the vendor does not say. */
  readonly changedAt?: Instant | undefined;
}

/** A zone that was looked through. */
export interface SearchedZone {
  readonly account: string;
  readonly zone: string;
  /** all: every record of it · names: only the names given, for the vendor lists none. */
  readonly scope: 'all' | 'names';
}

export interface LeftoverSearch {
  /** Default: the zones declared at the accounts, and those of `domains`. */
  readonly zone?: string | undefined;
  /** Default: every account that an agent writes to. */
  readonly account?: string | undefined;
  /** With the account that proves their names, if a certain one does. */
  readonly domains: readonly { readonly name: string; readonly account?: string | undefined }[];
  /** That there are certificates for: where a vendor lists no records, these are looked up. */
  readonly names: readonly string[];
}

export interface FoundLeftovers {
  readonly zones: readonly SearchedZone[];
  readonly leftovers: readonly Leftover[];
  /** What could not be looked through, and why. */
  readonly trouble: readonly string[];
}

/** One thing that was looked at around a name. */
export interface DnsFinding {
  /** "zone", "nameserver ns1.example.com". */
  readonly about: string;
  /** unknown: it could not be seen. */
  readonly level: 'fine' | 'amiss' | 'unknown';
  /** With what to do, where something is amiss. */
  readonly message: string;
}

export interface DnsExamination {
  /** In the order in which one depends on the other; where one is amiss the rest may be missing. */
  readonly findings: readonly DnsFinding[];
  /** Where records of its challenges go; absent: nowhere. */
  readonly place?:
    | {
        readonly account: string;
        readonly zone: string;
        readonly name: string;
        /** A person writes there. */
        readonly isByHand: boolean;
      }
    | undefined;
  /** Those that are to show a record that is written; what answers nothing now is a finding, and not waited for. */
  readonly servers: readonly string[];
}

/** A TXT record without meaning, written to see how that goes. */
export interface Trial {
  /** The same key is the same trial, in any process. */
  readonly key: string;
  /** Whose challenges it goes the way of. */
  readonly name: string;
  readonly account: string;
}

export interface TrialSight {
  /** From the intent until the vendor accepted it; absent: it has not yet. */
  readonly acceptedMs?: number | undefined;
  /** Since then, or since the intent. */
  readonly ageMs: number;
  /** Nameservers of which every address that answers shows it. */
  readonly shownBy: readonly string[];
  /** What the vendor says of its own servers, where it says anything. */
  readonly isLive?: boolean | undefined;
}

/** Looking after zones: what a person asks about them. Needs the credentials of the accounts. */
export interface DnsCare {
  /**
   * Values that look like an answer to dns-01 (43 characters of base64url below a label `_acme-challenge`) and are in no
   * journal of ours: other clients left them there, or use them at this moment. Throws for an account or zone not known.
   */
  leftovers(search: LeftoverSearch, signal: AbortSignal): Promise<FoundLeftovers>;
  /**
   * Takes away exactly these values; they are in the journal until that is done. Resolves within a few seconds with those
   * that are gone by then.
   */
  discard(leftovers: readonly Leftover[], signal: AbortSignal): Promise<readonly Leftover[]>;
  /**
   * What can be seen of the place where challenges of a name are answered, without writing there: within a few seconds,
   * and rejects with the signal's reason only. `account`: the one that proves it, if a certain one does.
   */
  examine(
    question: { readonly name: string; readonly account?: string | undefined },
    signal: AbortSignal,
  ): Promise<DnsExamination>;
  /** Durable when it resolves; whatever happens, the value is gone an hour later. Begun again it stays as it is. */
  beginTrial(trial: Trial, signal: AbortSignal): Promise<void>;
  /** undefined: it is not there, or is on its way out. Throws what the vendor said; looks teach how long the zone takes. */
  seeTrial(key: string, signal: AbortSignal): Promise<TrialSight | undefined>;
  /** True: it is gone. To be asked again until then. */
  endTrial(key: string, signal: AbortSignal): Promise<boolean>;
}
