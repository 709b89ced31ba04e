export type ImportOutcome = 'taken' | 'would be taken' | 'there already' | 'not taken';

/** What became of one account or certificate of another client. */
export interface ImportItem {
  readonly what: 'account' | 'certificate';
  readonly at: string;
  readonly outcome: ImportOutcome;
  readonly names?: readonly string[] | undefined;
  /** Issuer of an account, lineage of a certificate. */
  readonly into?: string | undefined;
  /** Why not, or what to know of it. */
  readonly note?: string | undefined;
}
