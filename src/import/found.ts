import type { Secret } from '../core/secret.ts';

/** An account at a CA, as another client keeps it. */
export interface FoundAccount {
  /** Its file, for people. */
  readonly at: string;
  readonly server: Server;
  /** Absent: not noted there; the CA finds the account by its key. */
  readonly url?: string | undefined;
  /** PKCS #8 DER. */
  readonly key: Secret<Uint8Array>;
  /** `mailto:` URLs. */
  readonly contacts: readonly string[];
}

/** A certificate with its key, as another client keeps it. */
export interface FoundCertificate {
  readonly at: string;
  /** Leaf first. */
  readonly chainPem: string;
  /** PKCS #8 DER. */
  readonly privateKey: Secret<Uint8Array>;
  /** Absent: not noted there. */
  readonly server?: Server | undefined;
  /** URL of the account that ordered it. */
  readonly account?: string | undefined;
}

/** The CA as a client writes it down, which is not always the whole directory URL. */
export interface Server {
  readonly name: string;
  isAt(directoryUrl: string): boolean;
}

/** Something that looks like an account or a certificate and cannot be read. */
export interface Unreadable {
  readonly what: 'account' | 'certificate';
  readonly at: string;
  readonly reason: string;
}

export interface Found {
  readonly accounts: readonly FoundAccount[];
  readonly certificates: readonly FoundCertificate[];
  readonly unreadable: readonly Unreadable[];
}
