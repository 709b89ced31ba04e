/**
 * The nouns of acme-agent, as plain immutable data. Everything that is stored, queued or shown is one of these.
 * Instants are milliseconds since the epoch (names end in `At`), durations milliseconds (names end in `Ms`);
 * absence is `undefined`. Names are lower-case A-labels without a trailing dot.
 */

import type { Secret } from './secret.ts';

/** Milliseconds since the epoch, UTC. */
export type Instant = number;

export type DomainMode = 'auto' | 'wildcard' | 'individual' | 'custom';
export type ChallengeType = 'http-01' | 'dns-01' | 'tls-alpn-01' | 'dns-account-01' | 'dns-persist-01';
export type KeyType = 'p256' | 'p384' | 'rsa2048' | 'rsa3072' | 'rsa4096';
export type KeyClass = 'ec' | 'rsa';

/** Who owns a record: the configuration file (with the line, for messages), or whoever sent a command. */
export type Origin = { readonly kind: 'file'; readonly line: number } | { readonly kind: 'runtime' };

/** What plain HTTP for a host is answered with: one of the redirects, or 426 (Upgrade Required). */
export type HttpsRedirect = 'off' | '301' | '302' | '307' | '308' | '426';

export interface ProfileWish {
  readonly name: string;
  /** true: refuse a CA that lacks the profile; false: order without it there. */
  readonly required: boolean;
}

/** A registrable or delegated name under which hosts are served. */
export interface Domain {
  readonly name: string;
  readonly mode: DomainMode;
  /** Names of configured issuers, in order of preference. */
  readonly issuers: readonly string[];
  /** undefined: dns-01 where the DNS account is programmable, else http-01. */
  readonly challenge?: ChallengeType | undefined;
  /** Name of a configured DNS account. */
  readonly dnsAccount?: string | undefined;
  /** At least one; one lineage per key class. */
  readonly keyTypes: readonly KeyType[];
  readonly profile?: ProfileWish | undefined;
  /** Names that the CA refuses are left out of an order, so that the others have their certificate. */
  readonly partial?: boolean | undefined;
  /** A renewal keeps the key of the certificate that it replaces, unless that is of another type or compromised. */
  readonly reuseKey?: boolean | undefined;
  /** Absent: `usualRedirect`. */
  readonly redirect?: HttpsRedirect | undefined;
  /** Names of configured deploy targets. */
  readonly deploy: readonly string[];
  /** Names of configured notifiers. */
  readonly notify: readonly string[];
  /** E-mail addresses of the people who answer for this domain, passed to the notifiers. */
  readonly contacts: readonly string[];
  readonly origin: Origin;
  /** Of a runtime-owned one: what commands said. The rest of it follows the defaults of the file, as the file is now. */
  readonly said?: DomainWish | undefined;
  /** Set when the file no longer names it: nothing is ordered, its certificates stay. */
  readonly disabledAt?: Instant | undefined;
}

/** What can be said of a domain; absent: as `defaults` of the file say. */
export type DomainWish = {
  readonly [Key in keyof DomainDefaults]?: DomainDefaults[Key] | undefined;
};

/** Filled into a domain that does not say otherwise. */
export type DomainDefaults = Pick<
  Domain,
  | 'mode'
  | 'issuers'
  | 'challenge'
  | 'dnsAccount'
  | 'profile'
  | 'keyTypes'
  | 'partial'
  | 'reuseKey'
  | 'redirect'
  | 'deploy'
  | 'notify'
  | 'contacts'
>;

/** A name served under a domain. */
export interface Host {
  readonly name: string;
  readonly domain: string;
  readonly origin: Origin;
  readonly addedAt: Instant;
  /** It was taken in because a client asked for it. */
  readonly onDemand?:
    | {
        /** Its domain was made for it. */
        readonly madeDomain: boolean;
      }
    | undefined;
}

/** Why a host that a client asked for is not taken in; forgotten after `until`. */
export interface AskRefusal {
  readonly at: Instant;
  readonly until: Instant;
  readonly reason: 'permission' | 'unanswered' | 'quota' | 'waiting' | 'domain' | 'givenUp';
  readonly message: string;
}

/** Names that one command asked to have on one certificate (`issue NAME…`). */
export interface Group {
  readonly domain: string;
  readonly label: string;
  readonly names: readonly string[];
  readonly origin: Origin;
}

/** Names to keep covered by one certificate; derived from domains, hosts and groups, never stored. */
export interface Policy {
  /** `<domain>/<label>`; never derived from the set of names. */
  readonly id: string;
  readonly domain: string;
  readonly label: string;
  readonly names: readonly string[];
  readonly challenge: ChallengeType;
}

/** What an order must ask for. Stored with the certificate, so that a later comparison is wish against wish. */
export interface WantedSpec {
  readonly names: readonly string[];
  readonly keyType: KeyType;
  readonly issuers: readonly string[];
  /** Directory URL of each of `issuers`: one name may come to stand for another CA. Absent: not known. */
  readonly directories?: readonly string[] | undefined;
  readonly challenge: ChallengeType;
  readonly profile?: ProfileWish | undefined;
}

/**
 * `<domain>/<label>/<ec|rsa>` for a certificate that we order, `<domain>/<label>/fallback` for the self-signed one of
 * the same names, `cert-<random>` for an upload. People, bindings and targets refer to it; it never changes.
 */
export type LineageId = string;
export type LineageSource = 'acme' | 'self-signed' | 'upload';

/** What is held for one policy and key class, or for one upload: a history of generations and a pointer. */
export interface Lineage {
  readonly id: LineageId;
  readonly source: LineageSource;
  readonly domain: string;
  /** Id of the policy this lineage serves; undefined for an upload. */
  readonly policy?: string | undefined;
  readonly label: string;
  readonly wanted: WantedSpec;
  /** `mark` of each of the wanted issuers when the wish was last looked at. */
  readonly issuerMarks?: readonly string[] | undefined;
  /** Name and `mark` of the DNS account that proves its names, likewise; absent: none does, or not known. */
  readonly dnsMark?: string | undefined;
  readonly createdAt: Instant;
  /** Since when no host or group asks for it; after 7 days it is no longer renewed, its certificate stays. Without one: at once. */
  readonly unwantedSince?: Instant | undefined;
  /** Generation number of the current certificate; absent until the first one. */
  readonly current?: number | undefined;
  /** Numbers of the generations held, ascending; the last three stay. */
  readonly generations: readonly number[];
}

/** Public facts of one immutable generation. */
export interface Certificate {
  readonly lineage: LineageId;
  readonly generation: number;
  readonly source: LineageSource;
  /** Names in the certificate. */
  readonly names: readonly string[];
  /** Configured issuer that issued it; undefined for self-signed and uploaded ones. */
  readonly issuer?: string | undefined;
  /** ACME account URL that ordered it: `replaces` is only valid for the same account (RFC 9773 §5). */
  readonly account?: string | undefined;
  /** Common name (or organisation) of the issuing CA certificate, for people. */
  readonly issuerName: string;
  readonly keyType: KeyType;
  /** Serial number, lower-case hex as printed in the certificate. */
  readonly serial: string;
  /** RFC 9773 §4.1 unique identifier. */
  readonly ariCertId?: string | undefined;
  /** Where its CA publishes what it revoked (RFC 5280 §4.2.1.13); the first address of the web. */
  readonly crlUrl?: string | undefined;
  readonly notBefore: Instant;
  readonly notAfter: Instant;
  /** SHA-256 of the leaf's DER, lower-case hex. */
  readonly fingerprint: string;
  readonly issuedAt: Instant;
  readonly wanted: WantedSpec;
}

/** A certificate with what a server needs to present it. */
export interface Bundle {
  readonly certificate: Certificate;
  readonly leafDer: Uint8Array;
  /** Intermediates, leaf's issuer first; no root. */
  readonly chainDer: readonly Uint8Array[];
  /** PKCS #8 DER. */
  readonly privateKey: Secret<Uint8Array>;
}

/** So many tokens of one bucket. */
export interface BucketTake {
  readonly key: string;
  readonly capacity: number;
  /** Tokens regained a second. */
  readonly perSecond: number;
  readonly cost: number;
  /** Must be there, also where nothing is taken. */
  readonly least?: number | undefined;
  /**
   * So long the other side may take to count it. Until then it can be given back, and its place does not refill, so that
   * our bucket never holds more than theirs.
   */
  readonly settleMs?: number | undefined;
  /** It is taken even if it is not there; the bucket then owes it. */
  readonly mayOwe?: boolean | undefined;
  /** When it was taken; nothing else can be given back. */
  readonly takenAt?: Instant | undefined;
}

/** Limits that CAs set, each a token bucket. */
export type LimitName =
  | 'ordersPerAccount'
  | 'certificatesPerDomain'
  | 'certificatesPerNames'
  | 'failuresPerName';

/** What a CA may ask us to leave for a while, in words that no limit of our ledger explains. */
export type HoldName = 'requests' | 'orders' | 'ordersUnderDomain' | 'ordersForNames' | 'ordersForName';

/** `count` at once, regained evenly within `perMs`. */
export interface CaLimit {
  readonly count: number;
  readonly perMs: number;
}

/** Absent: that limit is not known or does not exist. */
export type CaLimits = { readonly [Name in LimitName]?: CaLimit | undefined };

/** A CA does not take orders for some names of a lineage until a person allows it again there. */
export interface Pause {
  /** Those of the order that the CA named, else all of it. */
  readonly names: readonly string[];
  readonly since: Instant;
  /** When one more order is tried all the same. */
  readonly retryAt: Instant;
  /** In the words of the CA, with the address where a person ends it. */
  readonly message: string;
}

/** Files that a person or program hands in, as they are: a certificate with its key and chain, or one bundle of all. */
export interface HandedIn {
  readonly certificate: Secret<Uint8Array>;
  readonly key?: Secret<Uint8Array> | undefined;
  readonly chain?: Secret<Uint8Array> | undefined;
  /** Opens the key, or the PKCS #12 file. */
  readonly password?: Secret<string> | undefined;
}

/** What is shown for a server name or at an endpoint of the platform because a person or program says so. */
export interface Binding {
  /** Host name, `*.example.com`, `shop.*`, `*`; or an endpoint, `web:443`. */
  readonly name: string;
  /** One of each key class at most; they go on to their newer generations. */
  readonly lineages: readonly LineageId[];
  readonly boundAt: Instant;
  /** Since when people were told that none of them is valid. */
  readonly lapsedAt?: Instant | undefined;
}

/** An order under way. Deleting it is the commit point of an issuance. */
export interface Issuance {
  readonly lineage: LineageId;
  readonly wanted: WantedSpec;
  /** Those ordered: the wanted ones, but for names that are left out for a while. */
  readonly names: readonly string[];
  readonly issuer: string;
  readonly privateKey: Secret<Uint8Array>;
  readonly csrDer: Uint8Array;
  readonly startedAt: Instant;
  /** CertID sent as `replaces`, if any. */
  readonly replaces?: string | undefined;
  readonly profile?: string | undefined;
  /** ACME account that ordered; another one may not even look at the order. */
  readonly account?: string | undefined;
  /** Taken from the ledger of the CA's limits for the certificate; given back if there will be none. */
  readonly spent?: readonly BucketTake[] | undefined;
  /** Since when the CA may have been told to issue, and may count the certificate. */
  readonly finalizedAt?: Instant | undefined;
  /** Its CA is long in making the certificate: when it is asked after next, whatever the ladder says. */
  readonly lookAt?: Instant | undefined;
  /** Limits of the CA that do not count its order, by our ledger. */
  readonly exempt?: readonly LimitName[] | undefined;
  /** Sent though our ledger of the CA's limits has no room. */
  readonly isProbe?: boolean | undefined;
  /** Absent: the order was not created, or its URL was lost. */
  readonly orderUrl?: string | undefined;
  /** What we presented: ids given by the solvers, by authorization URL. */
  readonly presented: Readonly<Record<string, PresentedChallenge>>;
  /** What a person has to add before it can go on, as far as it is missing; `number`: how often it was told. */
  readonly byHand?:
    | { readonly records: readonly TxtByHand[]; readonly toldAt: Instant; readonly number: number }
    | undefined;
  /** Its certificate is stored, in the same write; what is left is to tell the task of the request, and to forget the order. */
  readonly stored?: { readonly serial: string; readonly task?: string | undefined } | undefined;
}

/** A TXT record that a person has to add. */
export interface TxtByHand {
  readonly name: string;
  readonly value: string;
  /** Afterwards the CA does not look for it any more. */
  readonly until: Instant;
}

export interface PresentedChallenge {
  readonly type: ChallengeType;
  /** Solver's own durable id; any process can ask the solver about it. */
  readonly id: string;
  readonly challengeUrl: string;
  /** The CA was told that the challenge is ready. */
  readonly respondedAt?: Instant | undefined;
  /** Of the account key with which the answer was made (RFC 7638). */
  readonly thumbprint?: string | undefined;
}

/** What went wrong last, in words for people; never a secret. */
export interface Failure {
  readonly at: Instant;
  readonly code: string;
  readonly message: string;
  readonly issuer?: string | undefined;
  /** Per name, where the CA said which one. */
  readonly names?: Readonly<Record<string, string>> | undefined;
  /** What to do, where more is known than the table says of the code. */
  readonly advice?: string | undefined;
}

export interface ReminderState {
  /** When the running series opened; absent: all is well. */
  readonly openedAt?: Instant | undefined;
  /** Reminders that at least one notifier took. */
  readonly count: number;
  readonly lastAt?: Instant | undefined;
  readonly silencedUntil?: Instant | undefined;
  /** People were told of the failure; they get a "recovered" when it is mended. */
  readonly toldAt?: Instant | undefined;
}

/** A name that the CA refused and that orders are made without for a while. */
export interface LeftOut {
  readonly failures: number;
  readonly since: Instant;
  readonly retryAt: Instant;
  readonly failure: Failure;
}

/** A CA's suggested window for the renewal of one certificate, RFC 9773 §4.2, and the instant chosen from it. */
export interface RenewalWindow {
  readonly start: Instant;
  readonly end: Instant;
  /** Page on which the CA says why, for people. */
  readonly explanationUrl?: string | undefined;
  /** Drawn once, and kept while the window stays as it is. */
  readonly chosenAt: Instant;
}

/** Something amiss that was seen before an order and did not stop it. */
export interface Warning {
  readonly at: Instant;
  readonly issuer: string;
  readonly name: string;
  /** With what to do. */
  readonly message: string;
}

/** Whether an order waits for a look at its names: on: it is not made where that shows it would fail; warn: it is all the same. */
export type PreflightMode = 'on' | 'warn' | 'off';

/** What is remembered about one lineage between attempts. */
export interface RenewalState {
  readonly lineage: LineageId;
  /** Of the stored record; 0 for one never stored. A write of an outdated version is refused. */
  readonly version: number;
  /** When the rule of renewal asks for the next order; absent: at once (nothing held) or never (unwanted). */
  readonly renewAt?: Instant | undefined;
  /** The CA's advice on the certificate that is held, if it gives any (RFC 9773). */
  readonly window?: RenewalWindow | undefined;
  /** When a certificate still young was last renewed because the CA advised it. */
  readonly hurriedAt?: Instant | undefined;
  /** When to ask the CA for its advice again; absent: the CA gives none, or nothing is held. */
  readonly ariCheckAt?: Instant | undefined;
  /** How often in a row the CA would give no advice now and said when to ask again. */
  readonly ariPutOff?: number | undefined;
  /** Attempts failed since the last success. */
  readonly failures: number;
  /** First failure since the last success. */
  readonly failingSince?: Instant | undefined;
  /** Consecutive faults of each issuer for this lineage. */
  readonly issuerFailures: Readonly<Record<string, number>>;
  /** Issuers that only a person can bring to issue, though others may do well: when each is asked again. */
  readonly blocked?: Readonly<Record<string, Instant>> | undefined;
  readonly lastFailure?: Failure | undefined;
  /** Of the last order, until one succeeds. */
  readonly warnings?: readonly Warning[] | undefined;
  readonly retryAt?: Instant | undefined;
  /** By name; the certificate that is held does without them. */
  readonly leftOut?: Readonly<Record<string, LeftOut>> | undefined;
  /** By our ledger a limit of the CA has no room: a wait, not a failure. `count`: waits in a row. */
  readonly waiting?:
    | {
        readonly issuer: string;
        readonly limit: string;
        readonly count: number;
        /** When each issuer that had no room says that it will have some. */
        readonly full: Readonly<Record<string, Instant>>;
      }
    | undefined;
  /** By issuer; outlasts the success of another issuer. */
  readonly paused?: Readonly<Record<string, Pause>> | undefined;
  /** A person or program asked for a new certificate now; `force` even if nothing is due. */
  readonly requested?:
    | {
        /** When it is carried out. */
        readonly at: Instant;
        readonly force: boolean;
        readonly task?: string | undefined;
        /** When it was asked for, if it had to be put off since. */
        readonly askedAt?: Instant | undefined;
      }
    | undefined;
  /** The certificate that is held is revoked: when that was done or seen. */
  readonly revokedAt?: Instant | undefined;
  /** Generations that a person wants revoked, and that are not yet. */
  readonly revoking?: readonly Revoking[] | undefined;
  /** Fingerprints of generations that are revoked: none of them is put back. */
  readonly revoked?: readonly string[] | undefined;
  /** A person put an earlier generation back: so long it is not renewed only because that is due. */
  readonly heldUntil?: Instant | undefined;
  /** SHA-256 (hex) of the public keys that this lineage must never use again: somebody else has the private one. */
  readonly compromised?: readonly string[] | undefined;
  readonly reminders: ReminderState;
}

/** Why a certificate is revoked (RFC 5280 §5.3.1); those that Let's Encrypt takes from its subscribers. */
export type RevocationReason = 'unspecified' | 'keyCompromise' | 'superseded' | 'cessationOfOperation';

/** One generation to be revoked: once its successor is seen at all targets, at once where nobody wants one. */
export interface Revoking {
  readonly generation: number;
  readonly serial: string;
  readonly fingerprint: string;
  /** The issuer that issued it. */
  readonly issuer: string;
  readonly notAfter: Instant;
  /** DER of the leaf, base64: the generation may be forgotten before it is revoked. */
  readonly leaf: string;
  readonly reason: RevocationReason;
  readonly requestedAt: Instant;
  readonly requestedBy?: string | undefined;
  /** Without waiting for a successor. */
  readonly atOnce?: boolean | undefined;
  /** Other lineages that hold the same certificate; they too have to have another one first. */
  readonly shared?: readonly LineageId[] | undefined;
  readonly task?: string | undefined;
  /** Attempts that the CA refused. */
  readonly failures: number;
  readonly lastFailure?: Failure | undefined;
  /** When to look at it again; absent: at the next occasion. */
  readonly nextAt?: Instant | undefined;
  /** People were told that it takes too long. */
  readonly toldAt?: Instant | undefined;
}

/** One lineage at one deploy target: what is there, and what to do next. */
export interface Deployment {
  /** As in RenewalState. */
  readonly version: number;
  readonly target: string;
  readonly lineage: LineageId;
  /** Fingerprint last seen at the target, and whose it is. */
  readonly observed?:
    | {
        readonly fingerprint: string;
        readonly source: LineageSource;
        readonly at: Instant;
        /** Another one than `lineage`, whose certificate comes first there. */
        readonly lineage?: LineageId | undefined;
      }
    | undefined;
  /** Of the target as it was configured when it was last tried. */
  readonly mark?: string | undefined;
  readonly failures: number;
  readonly lastFailure?: Failure | undefined;
  readonly retryAt?: Instant | undefined;
  /** Clients were shown something else, as a probe saw; until one sees that all is right there. */
  readonly amiss?: Amiss | undefined;
  /** The people were told that the fallback is served in place of a trusted certificate. */
  readonly fallbackTold?: boolean | undefined;
  /** The lineage was purged: where it is taken away from. Says nothing of one that is there again. */
  readonly leaving?:
    | { readonly domain: string; readonly label: string; readonly keyClass: KeyClass }
    | undefined;
}

/** What servers of a target were seen to show instead of what it was given. */
export interface Amiss {
  readonly since: Instant;
  /** When it was last seen. */
  readonly at: Instant;
  /** In words. */
  readonly message: string;
  /** Where it was last seen: each of them has to be right before it is over. */
  readonly addresses: readonly string[];
  /** Deployments that did not mend it. */
  readonly failures: number;
  /** When it is deployed anew; absent: that was done, and a probe has yet to see what came of it. */
  readonly retryAt?: Instant | undefined;
}

/** Where a server is reached. `host`: an IP address, or a name for all addresses that it has. */
export interface ServerAddress {
  readonly host: string;
  readonly port: number;
}

export type TaskState = 'running' | 'done' | 'failed';

/** Progress of a command that outlives its job. */
export interface Task {
  readonly id: string;
  readonly operation: string;
  readonly createdAt: Instant;
  readonly finishedAt?: Instant | undefined;
  readonly state: TaskState;
  readonly requestedBy?: string | undefined;
  /** One entry a lineage (or other item), in the order of work. */
  readonly items: readonly TaskItem[];
}

export interface TaskItem {
  readonly id: string;
  readonly state: 'waiting' | 'done' | 'failed' | 'skipped';
  /** Reason, error in words, or new serial number. */
  readonly note?: string | undefined;
}

export type EventType =
  | 'certificate.issued'
  | 'certificate.failed'
  | 'certificate.reminder'
  | 'certificate.fallback'
  | 'certificate.recovered'
  | 'certificate.unwanted'
  /** By us, or by its CA as its list of revoked certificates shows. */
  | 'certificate.revoked'
  /** What a person wants revoked is not yet. */
  | 'revocation.late'
  /** Nobody asked for it any more, and it is gone with its keys. */
  | 'certificate.purged'
  | 'certificate.uploaded'
  /** An upload wants a successor, which only a person can bring. */
  | 'certificate.expiring'
  /** A person put an earlier generation back. */
  | 'certificate.rolledBack'
  /** A person took it away from here, with its key. */
  | 'certificate.downloaded'
  | 'certificate.removed'
  /** The CA moved the window in which it wants the certificate renewed. */
  | 'certificate.window'
  /** A person has to add TXT records. */
  | 'record.wanted'
  /** What a person added may go. */
  | 'record.idle'
  | 'deploy.done'
  | 'deploy.failed'
  | 'deploy.recovered'
  /** Clients are shown something else than a target was given. */
  | 'probe.failed'
  | 'probe.recovered'
  | 'domain.changed'
  | 'host.changed'
  | 'binding.changed'
  /** What is bound is expired or revoked, and something else is shown. */
  | 'binding.lapsed'
  | 'reminder.acknowledged'
  | 'command.done'
  | 'chore.failed'
  | 'store.restored';

/** Something that happened; written in the transaction that made it so. */
export interface NewEvent {
  readonly type: EventType;
  readonly domain?: string | undefined;
  readonly lineage?: LineageId | undefined;
  /** Public facts only; strings, numbers, booleans, lists and records of them. */
  readonly facts: Readonly<Record<string, unknown>>;
}

export interface Event extends NewEvent {
  /** Stream id; later events have greater ids. */
  readonly id: string;
  readonly at: Instant;
}

/** The kinds of work that the due index knows; each is handled by the queue of the same or a wider name. */
export type DueJob = 'issue' | 'deploy' | 'remind' | 'notify' | 'upkeep';

export interface DueEntry {
  readonly job: DueJob;
  /** Lineage id; `<target>|<lineage>` for deploy; notifier name for notify; chore name for upkeep. */
  readonly id: string;
  readonly at: Instant;
}

/** What the core needs to know of the configuration; the file alone defines these things, records only name them. */
export interface Settings {
  /** Names of configured issuers. */
  readonly issuers: readonly string[];
  /** By the name of the issuer. */
  readonly issuerFacts?: Readonly<Record<string, IssuerFacts>> | undefined;
  /** Challenges of drafts that the file allows. */
  readonly experimental?: readonly ChallengeType[] | undefined;
  readonly dnsAccounts: readonly DnsAccountFacts[];
  readonly deployTargets: readonly string[];
  /** By the name of the target: another one when its options were changed in the file. */
  readonly targetMarks?: Readonly<Record<string, string>> | undefined;
  /** By the name of the target: servers that show what it was given, for those that are probed. */
  readonly probes?: Readonly<Record<string, readonly ServerAddress[]>> | undefined;
  readonly notifiers: readonly string[];
  /** Renewal never waits longer than this before expiry, unless the CA's window says so. */
  readonly renewalCeilingMs: number;
  /** The file has a listener for tls-alpn-01. */
  readonly answersTlsAlpn?: boolean | undefined;
  /** Absent: on. */
  readonly preflight?: PreflightMode | undefined;
  /** A permission of dns-persist-01 ends by itself so long after it was given, at the latest; absent: never. */
  readonly permissionMs?: number | undefined;
  /** A chain that was uploaded without an intermediate is completed from where the certificate says that this is. */
  readonly fetchesIssuers?: boolean | undefined;
  /** Absent: no host is taken in because a client asks for it. */
  readonly onDemand?: OnDemandSettings | undefined;
  /** Unwanted certificates are deleted so long after their expiry. */
  readonly retentionMs?: number | undefined;
  readonly defaults: DomainDefaults;
}

/** Which hosts are taken in because a client asks for them. */
export interface OnDemandSettings {
  /** Names; `*` stands for exactly one label. */
  readonly allow: readonly string[];
  /** The platform is asked about each. */
  readonly asksPermission: boolean;
  /** New hosts under one registered domain. */
  readonly perDomain: CaLimit;
  /** Of all that have no certificate yet. */
  readonly mostWaiting: number;
}

export interface IssuerFacts {
  readonly directoryUrl: string;
  /** Another one when the directory, the account or the trust in its API was changed in the file. */
  readonly mark: string;
  /** For domains that want none. */
  readonly usualProfile?: ProfileWish | undefined;
}

export interface DnsAccountFacts {
  readonly name: string;
  /** Zones declared in the file; they come before any zone discovery. */
  readonly zones: readonly string[];
  /** false: a person writes the records. */
  readonly programmable: boolean;
  /** Another one when its provider, credentials or options were changed in the file. */
  readonly mark?: string | undefined;
}
