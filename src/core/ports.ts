/**
 * What the core needs of the world. Each port is narrow; a function asks for those it uses:
 * `Pick<Ports, 'acme' | 'clock'>`. Implementations reject with AgentError only.
 */

import type { DnsCare } from './dns-care.ts';
import type { AgentError, ErrorCode } from './errors.ts';
import type { MetricLabels, MetricName } from './metrics.ts';
import type { Secret } from './secret.ts';
import type {
  AskRefusal,
  Binding,
  BucketTake,
  Bundle,
  Certificate,
  ChallengeType,
  Deployment,
  Domain,
  DueEntry,
  DueJob,
  Event,
  Group,
  HandedIn,
  HoldName,
  Host,
  Instant,
  Issuance,
  KeyClass,
  KeyType,
  LimitName,
  Lineage,
  LineageId,
  NewEvent,
  ProfileWish,
  RenewalState,
  RevocationReason,
  ServerAddress,
  Task,
  TxtByHand,
} from './types.ts';

export interface Clock {
  now(): Instant;
  /** Rejects with the signal's reason when aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls `run` once after `ms`; returns the function that cancels it. Does not keep the process alive. */
  after(ms: number, run: () => void): () => void;
}

export interface Log {
  debug(facts: object, message: string): void;
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
  error(facts: object, message: string): void;
  child(facts: object): Log;
}

/** Counts what this process does, for monitoring. Never throws, and costs next to nothing. */
export interface Metrics {
  /** `by`: default 1. */
  count<Name extends MetricName<'counter'>>(name: Name, labels: MetricLabels<Name>, by?: number): void;
  observe<Name extends MetricName<'histogram'>>(name: Name, labels: MetricLabels<Name>, value: number): void;
}

/** What is wanted: domains, hosts and groups. Written through `changes`. */
export interface Wishes {
  domain(name: string): Promise<Domain | undefined>;
  domains(): Promise<readonly Domain[]>;
  /** The longest domain that equals `name` or is a parent of it. */
  domainOf(name: string): Promise<Domain | undefined>;
  host(name: string): Promise<Host | undefined>;
  hosts(domain: string): Promise<readonly Host[]>;
  groups(domain: string): Promise<readonly Group[]>;
}

/** What is held. Written through `changes`. */
export interface Certificates {
  lineage(id: LineageId): Promise<Lineage | undefined>;
  /** Of one domain, or all. */
  lineages(domain?: string): Promise<readonly Lineage[]>;
  /** Uploads of one domain: few, where `lineages` may be thousands. */
  uploads(domain: string): Promise<readonly Lineage[]>;
  /** Facts of the current generation, or of the one given. */
  certificate(lineage: LineageId, generation?: number): Promise<Certificate | undefined>;
  /** Current generations of many lineages in one round trip, in the order asked. */
  currents(lineages: readonly LineageId[]): Promise<readonly (Certificate | undefined)[]>;
  /** With chain and key, read from the store (never from a cache). */
  bundle(lineage: LineageId, generation?: number): Promise<Bundle | undefined>;
}

/** What is shown where by an explicit word. Written through `changes`, under the lock of all bindings. */
export interface Bindings {
  get(name: string): Promise<Binding | undefined>;
  /** Those of these names that there are, in one round trip. */
  among(names: readonly string[]): Promise<readonly Binding[]>;
  /** In the order of names. */
  all(): Promise<readonly Binding[]>;
  /** In the order of names. */
  of(lineage: LineageId): Promise<readonly Binding[]>;
}

/** Something that may change what clients are shown: a lineage, what is bound to a name or pattern, a domain. */
export interface ServedChange {
  readonly kind: 'lineage' | 'binding' | 'domain';
  readonly name: string;
}

/** Numbers of the changes of what is shown, for those who keep it in memory. Written with each change. */
export interface ServedChanges {
  /** The newest number, and all that changed after the one known; all: nothing is known, too much, or the numbers went back. */
  since(known: number | undefined): Promise<{ number: number; changed: readonly ServedChange[] | 'all' }>;
  /** Soon after most changes; now and then one is lost. Returns the function that stops it. */
  hear(heard: () => void): () => void;
}

/**
 * Hosts that clients ask for and nothing is held for. Those who show certificates tell the agents, which decide; and what
 * these remember of it.
 */
export interface HostAsks {
  /** A hint: now and then one is lost. */
  ask(name: string): Promise<void>;
  /** Whatever somebody sent, so it is to be judged. Returns the function that stops it. */
  hear(heard: (name: string) => void): () => void;
  /** undefined: it was not refused, or long ago. */
  refusalOf(name: string): Promise<AskRefusal | undefined>;
  refuse(name: string, refusal: AskRefusal): Promise<void>;
  /** Hosts taken in whose first certificate is awaited, the oldest first. */
  waiting(): Promise<readonly { readonly name: string; readonly since: Instant }[]>;
  addWaiting(name: string, since: Instant): Promise<void>;
  dropWaiting(names: readonly string[]): Promise<void>;
}

/** The platform's word on a host that a client asked for. */
export interface HostPermission {
  /** Status of its answer. Rejects with `net.*` where there is none. */
  ask(name: string, signal: AbortSignal): Promise<number>;
}

/** What was handed in for a command that names it: sealed, so that no job carries a key; gone after a quarter of an hour. */
export interface Staging {
  /** Resolves with the id under which a command names it. */
  put(files: HandedIn): Promise<string>;
  /** undefined: there is no such thing, or not any more. */
  get(id: string): Promise<Staged | undefined>;
}

/** Once a change with `useStaging` is through, nothing is left but for what it was used. */
export type Staged = { readonly files: HandedIn } | { readonly usedFor: LineageId };

/** Certificates of CAs, as certificates say that they are to be had (RFC 5280 §4.2.2.1). */
export interface IssuerCertificates {
  /** DER of all that is there. Rejects with `net.*`, or with `command.invalid` for what is no certificate. */
  fetch(url: string, signal: AbortSignal): Promise<readonly Uint8Array[]>;
}

export interface Issuances {
  get(lineage: LineageId): Promise<Issuance | undefined>;
  all(): Promise<readonly LineageId[]>;
}

export interface Renewals {
  get(lineage: LineageId): Promise<RenewalState>;
  many(lineages: readonly LineageId[]): Promise<readonly RenewalState[]>;
}

export interface Deployments {
  get(target: string, lineage: LineageId): Promise<Deployment | undefined>;
  of(lineage: LineageId): Promise<readonly Deployment[]>;
  /** Those with `leaving`: what purged lineages left at their targets. */
  leaving(): Promise<readonly Deployment[]>;
}

export interface Tasks {
  get(id: string): Promise<Task | undefined>;
  /** Newest first. */
  list(limit: number): Promise<readonly Task[]>;
  /** Sets one item and, when none is waiting any more, finishes the task; atomic. */
  settle(id: string, item: Task['items'][number]): Promise<void>;
}

/** The due index: one sorted set; the score is the instant of the next action. */
export interface Due {
  /** Entries due at `now`, earliest first. */
  next(now: Instant, limit: number): Promise<readonly DueEntry[]>;
  at(job: DueJob, id: string): Promise<Instant | undefined>;
}

/** Faults of each issuer in a row, over all lineages; three open its breaker. A change with `wellIssuer` ends the row. */
export interface IssuerHealth {
  /** When the breaker of each opened; undefined: it is closed. */
  openedAt(issuers: readonly string[]): Promise<readonly (Instant | undefined)[]>;
  /** Resolves with the faults in a row, this one included. */
  fault(issuer: string): Promise<number>;
}

/**
 * One atomic write of everything that belongs together. A reader sees all of it or nothing. Renewal states and
 * deployments are written only over the version they carry, else `store.conflict`. Events put `notify:events` into the
 * due index by themselves.
 */
export interface Change {
  /** Refuse with `store.fenced` if a newer holder has the lock. */
  readonly fence?: Fence | undefined;
  readonly putDomains?: readonly Domain[] | undefined;
  readonly removeDomains?: readonly string[] | undefined;
  readonly putHosts?: readonly Host[] | undefined;
  readonly removeHosts?: readonly Host[] | undefined;
  readonly putGroups?: readonly Group[] | undefined;
  readonly removeGroups?: readonly Group[] | undefined;
  /** Without touching `current` and `generations`, which only `generation` changes. */
  readonly putLineages?: readonly Lineage[] | undefined;
  readonly removeLineages?: readonly LineageId[] | undefined;
  /** Stores a new generation of its lineage (number = greatest + 1, given by the caller) and flips the pointer to it. */
  readonly generation?: Bundle | undefined;
  /** Flips the pointer of a lineage to one of the generations that it holds, else `store.conflict`. */
  readonly point?: { readonly lineage: LineageId; readonly generation: number } | undefined;
  /** What was staged is used for the lineage, and forgotten. */
  readonly useStaging?: { readonly id: string; readonly lineage: LineageId } | undefined;
  /** It is refused, and forgotten. */
  readonly dropStaging?: string | undefined;
  readonly putBindings?: readonly Binding[] | undefined;
  /** As they are stored. One that is put as well takes the place of the stored one. */
  readonly removeBindings?: readonly Binding[] | undefined;
  readonly putRenewals?: readonly RenewalState[] | undefined;
  readonly putIssuance?: Issuance | undefined;
  readonly dropIssuance?: LineageId | undefined;
  /** An issuer that did well: its faults in a row are forgotten. */
  readonly wellIssuer?: string | undefined;
  readonly putDeployments?: readonly Deployment[] | undefined;
  readonly removeDeployments?: readonly Deployment[] | undefined;
  readonly putTasks?: readonly Task[] | undefined;
  /** `at: undefined` removes the entry. */
  readonly due?:
    | readonly { readonly job: DueJob; readonly id: string; readonly at: Instant | undefined }[]
    | undefined;
  readonly putOff?: PutOff | undefined;
  readonly events?: readonly NewEvent[] | undefined;
  /** true: return only once the write is safe on disk. */
  readonly durable?: boolean | undefined;
}

/** Moves one entry of the due index to `at`; if it is not at `from` any more, an earlier one of somebody else stays. */
export interface PutOff extends DueEntry {
  /** As read before the work; undefined: there was none. */
  readonly from: Instant | undefined;
}

export interface Changes {
  commit(change: Change): Promise<void>;
}

export interface Fence {
  readonly lock: string;
  readonly number: number;
}

/** A lock of one holder across all agents, kept alive by a heartbeat. */
export interface Lock extends Fence {
  /** Aborts when the lock was lost. Check again what needs doing after getting a lock. */
  readonly signal: AbortSignal;
  release(): Promise<void>;
}

export interface Locks {
  /** undefined at once if somebody else holds it. */
  tryAcquire(name: string, ttlMs: number): Promise<Lock | undefined>;
  /** Waits for it; rejects with the signal's reason when aborted. */
  acquire(name: string, ttlMs: number, signal: AbortSignal): Promise<Lock>;
}

/** Token buckets shared by all agents; one atomic script. */
export interface Buckets {
  /** Takes `cost` tokens from each bucket or from none; the answer says when all will have enough. */
  take(buckets: readonly BucketTake[], now: Instant): Promise<Taking>;
  /** What was taken and has not settled; the rest counts as spent. */
  giveBack(takes: readonly BucketTake[], now: Instant): Promise<void>;
  /** They have one token at `until`, and no more: the other side says so. */
  drain(buckets: readonly BucketTake[], until: Instant, now: Instant): Promise<void>;
  /** As if nothing had ever been taken. */
  fill(buckets: readonly BucketTake[], now: Instant): Promise<void>;
  /** In the order asked. Changes nothing. */
  levels(buckets: readonly BucketTake[], now: Instant): Promise<readonly BucketLevel[]>;
}

export interface BucketLevel {
  /** Less than none where it owes. */
  readonly tokens: number;
  /** When it has enough for what was asked about. */
  readonly readyAt: Instant;
}

export interface Taking {
  readonly taken: boolean;
  readonly readyAt: Instant;
  /** Those that had too little, the one with the longest wait first. */
  readonly lacking: readonly BucketTake[];
}

/** HTTP-01 answers, readable by every agent on the store. */
export interface ChallengeTokens {
  put(token: string, keyAuthorization: string, expiresAt: Instant): Promise<void>;
  get(token: string): Promise<string | undefined>;
  remove(token: string): Promise<void>;
  /** The CA fetched `token`: tells the one who waits for that, which is one agent: this one, or whichever it is. */
  announceFetched(token: string): void;
  /** Calls `seen` at each fetch of `token` that any agent answered; returns the function that stops it. */
  onFetched(token: string, seen: () => void): () => void;
  /** A new token that every agent on the store answers, without having been told of it. No CA makes such a one. */
  trial(): { readonly token: string; readonly keyAuthorization: string };
}

/** What a TLS-ALPN-01 handshake for one server name is answered with (RFC 8737 §3). */
export interface TlsAnswer {
  readonly serverName: string;
  /** DNS name or IP address that the certificate is for. */
  readonly identifier: string;
  readonly token: string;
  readonly keyAuthorization: string;
  readonly putAt: Instant;
  readonly expiresAt: Instant;
}

/**
 * TLS-ALPN-01 answers, readable by every agent on the store. A handshake shows one: those for the same name are a queue.
 * That the CA has seen one is told through the tokens.
 */
export interface TlsAnswers {
  /** All at once, each behind those of its name: so two orders never wait for each other. Does nothing for a token that is there. */
  put(answers: readonly TlsAnswer[]): Promise<void>;
  /** Those whose time is not over; the first one is shown. */
  of(serverName: string): Promise<readonly TlsAnswer[]>;
  /** Does nothing for one that is not there. */
  remove(serverName: string, token: string): Promise<void>;
}

export type JournalState = 'intent' | 'added' | 'removing';

/** One TXT value that we put, or are about to put, into a zone. */
export interface JournalEntry {
  readonly id: string;
  readonly account: string;
  readonly zone: string;
  readonly zoneId?: string | undefined;
  /** Owner name after following CNAMEs. */
  readonly name: string;
  readonly value: string;
  readonly state: JournalState;
  /** Provider's own id of the record. */
  readonly handle?: string | undefined;
  /** Provider's ticket for "is it live?". */
  readonly ticket?: string | undefined;
  /** Who wants it (lineage), for people. */
  readonly lineage: LineageId;
  readonly createdAt: Instant;
  /** When the vendor accepted it. */
  readonly addedAt?: Instant | undefined;
  /** Where a person adds it: when its servers were first seen to show it. */
  readonly shownAt?: Instant | undefined;
  /** After this instant nobody waits for it any more: any process removes it. `forever`: it stays while it is wanted. */
  readonly leaseUntil: Instant;
}

/** Written durably before the vendor is called; only what stands here is ever deleted from a zone. */
export interface Journal {
  /** Durable when it returns. */
  intend(entries: readonly JournalEntry[]): Promise<void>;
  update(entries: readonly JournalEntry[]): Promise<void>;
  get(id: string): Promise<JournalEntry | undefined>;
  forget(ids: readonly string[]): Promise<void>;
  /** Entries for the same value at the same name; the record goes when the last of them goes. */
  sharing(entry: Pick<JournalEntry, 'account' | 'zone' | 'name' | 'value'>): Promise<readonly JournalEntry[]>;
  all(): Promise<readonly JournalEntry[]>;
}

export interface Accounts {
  get(issuer: string): Promise<AcmeAccountRecord | undefined>;
  /** Durable when it returns. */
  put(record: AcmeAccountRecord): Promise<void>;
}

export interface AcmeAccountRecord {
  readonly issuer: string;
  readonly directoryUrl: string;
  /** Absent: the CA has yet to be asked for an account with this key. */
  readonly url?: string | undefined;
  /** PKCS #8 DER. */
  readonly key: Secret<Uint8Array>;
  /** What we last sent, never what the CA echoed. */
  readonly contacts: readonly string[];
  readonly createdAt: Instant;
  /** The key that is to replace `key`: both are kept until the CA has confirmed it. PKCS #8 DER. */
  readonly nextKey?: Secret<Uint8Array> | undefined;
  /** When the CA took the key in place of an earlier one. */
  readonly rolledAt?: Instant | undefined;
  /** When the account was closed for good, or was found to be. */
  readonly deactivatedAt?: Instant | undefined;
  /** When we last went to open it anew at a CA that had forgotten or closed it; from before the CA was asked. */
  readonly reregisteredAt?: Instant | undefined;
}

/** What a person asks to be done to the account of an issuer. Resolves with the record as it then is. */
export interface AccountChanges {
  /**
   * Gives the account a new key (RFC 8555 §7.3.5). Throws `command.conflict` without an account that is open; what the
   * CA refused leaves the old key, and after any other failure the next run finds which of the two the CA knows.
   */
  rollover(issuer: string, signal: AbortSignal): Promise<AcmeAccountRecord>;
  /** Closes the account for good (RFC 8555 §7.3.6); again is as good as once. */
  deactivate(issuer: string, signal: AbortSignal): Promise<AcmeAccountRecord>;
}

/** The event stream, for readers in a consumer group: each event reaches each group at least once. */
export interface Events {
  /** Pending ones of this group first; returns at once. */
  read(group: string, count: number): Promise<readonly Event[]>;
  ack(group: string, ids: readonly string[]): Promise<void>;
  /** Newest first. */
  recent(count: number): Promise<readonly Event[]>;
}

/** Notices accepted for a notifier and not yet delivered; survives restarts. */
export interface Outbox {
  add(notifier: string, notices: readonly Notice[]): Promise<void>;
  /** Oldest first. */
  list(notifier: string): Promise<readonly Notice[]>;
  remove(notifier: string, ids: readonly string[]): Promise<void>;
  /** When something was last delivered to this recipient through this notifier. */
  lastSentAt(notifier: string, recipient: string): Promise<Instant | undefined>;
  setLastSentAt(notifier: string, recipient: string, at: Instant): Promise<void>;
  /** undefined: what was last sent to this recipient through this notifier was taken. */
  trouble(notifier: string, recipient: string): Promise<DeliveryTrouble | undefined>;
  setTrouble(notifier: string, recipient: string, trouble: DeliveryTrouble | undefined): Promise<void>;
}

/** A notifier that takes nothing for a recipient. */
export interface DeliveryTrouble {
  readonly since: Instant;
  /** Tries that failed in a row. */
  readonly tries: number;
  readonly retryAt: Instant;
}

export type NoticeKind =
  | 'failed'
  | 'reminder'
  /** An upload nears its expiry. */
  | 'expiring'
  /** What is bound to a name is not shown for it, since it is expired or revoked. */
  | 'binding-lapsed'
  | 'fallback'
  | 'recovered'
  | 'deploy-failed'
  | 'deploy-recovered'
  /** Clients are shown something else than was deployed, and are shown it again. */
  | 'probe-failed'
  | 'probe-recovered'
  | 'revoked'
  | 'revocation-late'
  /** The CA wants a certificate renewed at another time than usual, and says why. */
  | 'advice'
  /** A person has to add TXT records. */
  | 'record-wanted'
  /** A person may take them away. */
  | 'record-idle'
  | 'store';

/** One thing to tell people, in words; what notifiers get. */
export interface Notice {
  /** Event id; unique, so that a receiver can drop repetitions. */
  readonly id: string;
  readonly kind: NoticeKind;
  readonly at: Instant;
  readonly domain: string;
  readonly lineage?: LineageId | undefined;
  readonly names: readonly string[];
  readonly recipients: readonly string[];
  /** Cause in words (the CA's or DNS vendor's), and what to do. */
  readonly message: string;
  readonly advice?: string | undefined;
  readonly code?: string | undefined;
  readonly issuer?: string | undefined;
  readonly expiresAt?: Instant | undefined;
  readonly nextAttemptAt?: Instant | undefined;
  /** DNS records that a person has to add, in zone-file form, and until when the CA looks for them. */
  readonly records?: readonly string[] | undefined;
  readonly until?: Instant | undefined;
  /** Of a reminder: "n of 30"; without `of` it is one of those that follow the series once a week. */
  readonly reminder?: { readonly number: number; readonly of?: number | undefined } | undefined;
}

/** Commands that carried an idempotency key, kept for a day. */
export interface CommandAnswers {
  /** undefined: it was never begun, or was refused. Without an answer: a run of it was cut off, perhaps after its writes. */
  get(key: string): Promise<{ readonly answer?: string | undefined } | undefined>;
  /** Comes before all that the command writes. */
  begin(key: string): Promise<void>;
  put(key: string, answer: string): Promise<void>;
  /** It was refused: the next one is the first. */
  forget(key: string): Promise<void>;
}

/** Adds work to the queues. A job carries ids only; adding one that waits already wakes it. */
export interface Jobs {
  wake(job: DueJob, ids: readonly string[]): Promise<void>;
}

/** Key making, CSRs and X.509 facts. */
export interface Pki {
  generateKey(keyType: KeyType): Promise<Secret<Uint8Array>>;
  keyType(privateKey: Secret<Uint8Array>): KeyType;
  /** SHA-256 of the SubjectPublicKeyInfo, lower-case hex: tells keys apart, whatever they are encoded in. */
  keyId(privateKey: Secret<Uint8Array>): string;
  /** PKCS #10 DER with the names as SAN; no common name; IP addresses as iPAddress. */
  createCsr(names: readonly string[], privateKey: Secret<Uint8Array>): Uint8Array;
  /**
   * Reads, orders and verifies what a CA delivered: leaf first, key match, names equal to those ordered, continuous
   * issuer chain with valid signatures, dates around `now`. Throws `order.certificate` with the point that fails.
   */
  readIssued(
    pem: string,
    expected: {
      readonly names: readonly string[];
      readonly privateKey: Secret<Uint8Array>;
      readonly now: Instant;
    },
  ): CertificateFacts;
  /** A self-signed certificate for exactly these names, marked as ours. */
  selfSigned(
    names: readonly string[],
    privateKey: Secret<Uint8Array>,
    validity: { readonly notBefore: Instant; readonly notAfter: Instant },
  ): CertificateFacts;
}

export interface CertificateFacts {
  readonly leafDer: Uint8Array;
  readonly chainDer: readonly Uint8Array[];
  readonly names: readonly string[];
  readonly issuerName: string;
  readonly keyType: KeyType;
  readonly serial: string;
  readonly ariCertId?: string | undefined;
  readonly crlUrl?: string | undefined;
  readonly notBefore: Instant;
  readonly notAfter: Instant;
  readonly fingerprint: string;
}

export interface Identifier {
  readonly type: 'dns' | 'ip';
  readonly value: string;
}

/** RFC 7807 document as RFC 8555 §6.7 uses it, kept whole. */
export interface Problem {
  readonly type: string;
  readonly detail?: string | undefined;
  readonly status?: number | undefined;
  readonly instance?: string | undefined;
  readonly identifier?: Identifier | undefined;
  readonly subproblems?: readonly Problem[] | undefined;
}

export type OrderStatus = 'pending' | 'ready' | 'processing' | 'valid' | 'invalid';

/** RFC 8555 §7.1.3. */
export interface AcmeOrder {
  readonly url: string;
  readonly status: OrderStatus;
  readonly expires?: Instant | undefined;
  readonly identifiers: readonly Identifier[];
  readonly authorizations: readonly string[];
  readonly finalize: string;
  readonly certificate?: string | undefined;
  readonly error?: Problem | undefined;
  /** From Retry-After of this answer. */
  readonly retryAfterMs?: number | undefined;
}

/** RFC 8555 §7.1.4. */
export interface AcmeAuthorization {
  readonly url: string;
  readonly status: 'pending' | 'valid' | 'invalid' | 'deactivated' | 'expired' | 'revoked';
  readonly identifier: Identifier;
  readonly wildcard: boolean;
  readonly expires?: Instant | undefined;
  /** Only those of a type we know and with what that type needs; others are ignored. */
  readonly challenges: readonly AcmeChallenge[];
}

export interface AcmeChallenge {
  readonly type: ChallengeType;
  readonly url: string;
  readonly status: 'pending' | 'processing' | 'valid' | 'invalid';
  /** Empty for dns-persist-01, which has none. */
  readonly token: string;
  /** dns-persist-01: names of the CA, each good for the record. */
  readonly issuerDomains?: readonly string[] | undefined;
  readonly error?: Problem | undefined;
}

export interface NewOrder {
  readonly names: readonly string[];
  readonly profile?: string | undefined;
  readonly replaces?: string | undefined;
  /**
   * Asked before the request is sent once more though the CA may have made the order: its answer was lost, or a fault. Then
   * there may be two, and the CA counts both. Default: yes.
   */
  readonly mayRepeat?: (() => Promise<boolean>) | undefined;
}

/** One configured issuer with its account, ready to order. Every call does its own short retries (network, badNonce, 5xx). */
export interface AcmeSession {
  readonly issuer: string;
  readonly accountUrl: string;
  readonly profiles: readonly string[];
  /** As the file has it for this issuer, for lineages that want none. */
  readonly usualProfile?: ProfileWish | undefined;
  readonly hasRenewalInfo: boolean;
  readonly caaIdentities: readonly string[];
  keyAuthorization(token: string): string;
  newOrder(order: NewOrder, signal: AbortSignal): Promise<AcmeOrder>;
  order(url: string, signal: AbortSignal): Promise<AcmeOrder>;
  authorization(url: string, signal: AbortSignal): Promise<AcmeAuthorization>;
  /** Tells the CA that the challenge is in place. */
  respond(challengeUrl: string, signal: AbortSignal): Promise<void>;
  /** A CA may be at it for longer than this waits (`acme.network`, fact `isUnderWay`); then its order tells. */
  finalize(order: AcmeOrder, csrDer: Uint8Array, signal: AbortSignal): Promise<AcmeOrder>;
  /** PEM chain as delivered; the alternate whose topmost issuer matches `preferredChain` if there is one. */
  certificate(order: AcmeOrder, signal: AbortSignal): Promise<string>;
}

/** A certificate that its CA is to revoke. */
export interface RevocationRequest {
  readonly leafDer: Uint8Array;
  readonly reason: RevocationReason;
  /** Its private key, where that is still held; asked for only when the account may not revoke it. */
  key(): Promise<Secret<Uint8Array> | undefined>;
}

/** An answer of the renewalInfo resource, RFC 9773 §4.2; `start` is before `end`. */
export interface RenewalInfo {
  readonly start: Instant;
  readonly end: Instant;
  readonly explanationUrl?: string | undefined;
  /** Absent: the CA gave none that can be used, which counts as a long-term error (RFC 9773 §4.3.3). */
  readonly retryAfterMs?: number | undefined;
}

export interface Acme {
  /**
   * The CA's advice on one of its certificates; needs no account. undefined: this CA gives none. Throws `acme.response`
   * for an answer that is no advice.
   */
  renewalInfo(issuer: string, certId: string, signal: AbortSignal): Promise<RenewalInfo | undefined>;
  /** Directory fetched and account found or made on first use; one flight at a time. Throws `order.issuer` if unknown. */
  session(issuer: string, signal: AbortSignal): Promise<AcmeSession>;
  /** To open a session asks nothing of the CA any more. */
  hasSession(issuer: string): boolean;
  /**
   * RFC 8555 §7.6, signed by our account; where that is not the one that ordered it, or is no more, by the key of the
   * certificate. One that is revoked already counts as done.
   */
  revoke(issuer: string, request: RevocationRequest, signal: AbortSignal): Promise<void>;
}

/** What a list of revoked certificates says of one of them. */
export interface RevokedEntry {
  readonly serial: string;
  readonly revokedAt: Instant;
  /** As RFC 5280 §5.3.1 names it. */
  readonly reason: string;
}

/** Certificates that say that their revocation would be published at `url`. */
export interface CrlQuery {
  readonly url: string;
  readonly issued: readonly IssuedSerials[];
}

export interface IssuedSerials {
  /** Certificate of the CA that issued them, and signs the list. */
  readonly issuerDer: Uint8Array;
  readonly serials: readonly string[];
}

/** Lists of revoked certificates that CAs publish (RFC 5280 §5), fetched as seldom as will do. */
export interface Crls {
  /**
   * Calls `found` with those of the serials that the list names, unless the list is known to be the one of the last look;
   * once for each CA whose list it is. A look counts once `found` is through. Rejects with `net.*`, or with
   * `acme.response` where it is not the list of one of the CAs.
   */
  look(
    query: CrlQuery,
    found: (revoked: readonly RevokedEntry[], issued: IssuedSerials) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void>;
}

/** An order about to be made, as the CA's rate limits see it. */
export interface OrderIntent {
  readonly issuer: string;
  readonly names: readonly string[];
  /** It replaces a certificate, now, inside the window that the CA named for it. */
  readonly isAdvised: boolean;
  /** When a certificate for exactly these names was last issued. */
  readonly lastIssuedAt?: Instant | undefined;
  /** The CA's limits must not delay it any more than one refill of the bucket in the way. */
  readonly urgent: boolean;
}

export type Admission =
  | {
      readonly admitted: true;
      /** What the certificate costs, given back if there will be none. */
      readonly spent: readonly BucketTake[];
      /** What the order itself costs, given back only where the CA refused to make it: it counts those that it made. */
      readonly spentOnOrder: readonly BucketTake[];
      /** Limits that do not count it, as far as we know. */
      readonly exempt: readonly LimitName[];
      /** By our ledger there is no room: what the CA answers is no surprise. */
      readonly isProbe: boolean;
    }
  | { readonly admitted: false; readonly readyAt: Instant; readonly limit: string };

/**
 * Admission by the CA's rate limits, as far as a ledger shared by all agents knows them, and by what the CA last said of
 * waiting (a hold), which counts for every order, urgent ones but once a day.
 */
export interface Budget {
  admit(intent: OrderIntent): Promise<Admission>;
  giveBack(spent: readonly BucketTake[]): Promise<void>;
  /** Takes as much once more, and resolves with what was taken; undefined: there is no room, and nothing was. */
  spendAgain(spent: readonly BucketTake[]): Promise<readonly BucketTake[] | undefined>;
  /** The CA could not validate these names. */
  validationFailed(issuer: string, names: readonly string[]): Promise<void>;
  /**
   * What a refusal tells: the state of a limit, or else, of a 429 or 503 with Retry-After, how long to leave what it is
   * about. `isUnderWay`: the CA was asked about an order that it had taken. `exempt`: as its admission said; where the
   * CA knows nothing of that, orders that are exempt wait too.
   */
  learn(
    intent: Pick<OrderIntent, 'issuer' | 'names'> & {
      readonly isUnderWay: boolean;
      readonly exempt?: readonly LimitName[] | undefined;
    },
    error: AgentError,
  ): Promise<void>;
  /** It need not be left alone any longer: it took an order that we had no room for, or a person says so. */
  endHolds(issuer: string, names: readonly string[]): Promise<void>;
  /** What a CA is to be left alone with now, whatever the names: requests, or orders unless one is under way. */
  hold(issuer: string, isUnderWay: boolean): Promise<LimitLevel | undefined>;
  /** What is left of each limit that orders of these names meet at an issuer, and what it is left alone with; changes nothing. */
  levels(issuer: string, orders: readonly (readonly string[])[]): Promise<readonly LimitLevel[]>;
  /**
   * When each of these orders could go, in turn, as if those before it had gone as soon as they could; `limit` where one
   * is in its way. Changes nothing.
   */
  foresee(intents: readonly OrderIntent[]): Promise<readonly Outlook[]>;
}

/** One limit of a CA as our ledger has it, or a hold. */
export interface LimitLevel {
  readonly name: LimitName | HoldName;
  /** Registered domain, name, or names with a comma between; absent: the whole account. */
  readonly about?: string | undefined;
  /** As in `CaLimit`. Absent: it is a hold, which has an end and nothing else. */
  readonly count?: number | undefined;
  readonly perMs?: number | undefined;
  /** That may go now: 0 to `count`. */
  readonly left: number;
  /** When the next may go; not after now: at once. */
  readonly readyAt: Instant;
}

export interface Outlook {
  readonly readyAt: Instant;
  readonly limit?: string | undefined;
}

/** An order about to be made, as the CA would look at its names. */
export interface PreflightQuestion {
  readonly issuer: string;
  /** What the CA says of itself, and our account there; absent: it is asked. */
  readonly ca?: { readonly identities: readonly string[]; readonly account?: string | undefined } | undefined;
  readonly names: readonly string[];
  readonly challenge: ChallengeType;
}

/** What was seen of one name before anything was asked of a CA. */
export interface Finding {
  readonly name: string;
  /** stop: this CA is sure to refuse; warning: it may; fine: nothing is in the way. */
  readonly level: 'stop' | 'warning' | 'fine';
  /** Under which the CA would refuse. */
  readonly code: ErrorCode;
  /** With what to do, and the record to add or remove in zone-file form. */
  readonly message: string;
}

/** Looks at names from outside, as a CA would, and spends nothing there. */
export interface Preflight {
  /** Within a few seconds, whatever does not answer. Rejects with the signal's reason only. */
  look(question: PreflightQuestion, signal: AbortSignal): Promise<readonly Finding[]>;
}

export interface ChallengeToSolve {
  readonly lineage: LineageId;
  readonly domain: string;
  readonly identifier: Identifier;
  /** It is for `*.` and the identifier. */
  readonly wildcard: boolean;
  /** Of the whole order, also those that the CA holds for proven. */
  readonly names: readonly string[];
  /** As in AcmeChallenge; so is the key authorization. */
  readonly token: string;
  readonly keyAuthorization: string;
  readonly issuerDomains?: readonly string[] | undefined;
  readonly accountUrl: string;
  readonly dnsAccount?: string | undefined;
  /** When the authorization lapses at the CA. */
  readonly expiresAt: Instant;
}

export interface NotReady {
  readonly checkAgainAt: Instant;
  /** What a person has to add first. */
  readonly byHand?: TxtByHand | undefined;
}

/** Answers one type of challenge. All state is in the store, so any process can go on with what another presented. */
export interface Solver {
  readonly type: ChallengeType;
  /** Idempotent and durable; many at once, so that they can share calls. Returns one id a challenge, in order. */
  present(challenges: readonly ChallengeToSolve[], signal: AbortSignal): Promise<readonly string[]>;
  /** true once the CA would see it. Level-triggered. Throws when it never will. */
  ready(id: string, signal: AbortSignal): Promise<true | NotReady>;
  /** Calls `seen` each time the CA is seen fetching the answer, where that can be known. Returns the function that stops it. */
  onFetched?(id: string, seen: () => void): () => void;
  /** Idempotent; never fails for something that is not there. Own deadline inside. */
  cleanUp(ids: readonly string[], signal: AbortSignal): Promise<void>;
}

export interface Solvers {
  get(type: ChallengeType): Solver;
}

export interface DeployRequest {
  readonly bundle: Bundle;
  /** Where it goes: stable for the lineage, whatever the source of the bundle. */
  readonly slot: {
    readonly lineage: LineageId;
    readonly domain: string;
    readonly label: string;
    readonly keyClass: 'ec' | 'rsa';
  };
  /**
   * Clients were seen to be shown something else at this instant: what readers took up before says nothing, and is done
   * again (a reload), also where all is in place.
   */
  readonly amissAt?: Instant | undefined;
}

/** A certificate as read back from a target. */
export interface DeployedPem {
  readonly chainPem: string;
  /** PKCS #8 DER. */
  readonly privateKey: Secret<Uint8Array>;
}

/** A configured deploy target. */
export interface Deployer {
  readonly name: string;
  /** What takes longer is given up, and has failed; absent: five minutes. */
  readonly longestMs?: number | undefined;
  /**
   * Idempotent. Resolves with the leaf fingerprint observed at the target afterwards; or, when all is in place but its
   * readers have yet to take it up, with the instant of the next call. A wait of more than a moment is told, not waited.
   */
  deploy(
    request: DeployRequest,
    signal: AbortSignal,
  ): Promise<{ readonly observed: string } | { readonly again: Instant }>;
  /** What is there now, without changing it; undefined: nothing. */
  observe(slot: DeployRequest['slot'], signal: AbortSignal): Promise<string | undefined>;
  /** What lies there, whole, for a store that was lost; undefined: nothing, or not to be read back. */
  read?(slot: DeployRequest['slot'], signal: AbortSignal): Promise<DeployedPem | undefined>;
  /** Takes away what was deployed there, and nothing else; nobody asks for it any more. Idempotent. Absent: it stays. */
  remove?(slot: DeployRequest['slot'], signal: AbortSignal): Promise<void>;
  /** Reachable and writable; throws AgentError with what is wrong, several in an AggregateError. Changes nothing. */
  check?(signal: AbortSignal): Promise<void>;
}

export interface Deployers {
  /** Throws `deploy.target` if the file does not define it. */
  get(name: string): Deployer;
}

/** One handshake as a client makes it, to see what it is shown. */
export interface ProbeQuestion {
  readonly at: ServerAddress;
  /** Sent as server name (RFC 6066 §3), unless it is an IP address. */
  readonly name: string;
  /** The only kind of key that this client takes; absent: any. */
  readonly keyClass?: KeyClass | undefined;
  /** Where a name of a tenant leads: private addresses are not connected to unless the configuration allows them. */
  readonly isUntrusted?: boolean | undefined;
}

/** What was seen at one address, `192.0.2.1:443` or `[2001:db8::1]:443`. */
export type Sight = { readonly address: string } & (
  | { readonly kind: 'served'; readonly served: Served }
  /** It is there, and shows this client nothing for the name. */
  | { readonly kind: 'refused'; readonly message: string }
  /** Nothing can be said of what clients elsewhere are shown. */
  | { readonly kind: 'unreachable'; readonly message: string }
);

/** A certificate as a server showed it. */
export interface Served {
  /** SHA-256 of what was shown, lower-case hex, leaf first: as far as each is issued by the next. */
  readonly chain: readonly string[];
  readonly names: readonly string[];
  readonly serial: string;
  readonly issuerName: string;
  readonly isSelfSigned: boolean;
  readonly notBefore: Instant;
  readonly notAfter: Instant;
  /** Who issued the last of the chain: neither shown nor a root that browsers know. Absent: the chain is whole. */
  readonly missing?: string | undefined;
}

/** Looks at servers from outside, as a strict client: nothing is fetched or remembered that a server does not show. */
export interface Prober {
  /** One sight for each address that `at` has, within a few seconds. Rejects with the signal's reason only. */
  look(question: ProbeQuestion, signal: AbortSignal): Promise<readonly Sight[]>;
}

/** A configured notifier. */
export interface Notifier {
  readonly name: string;
  /** true: for people; several notices go in one message and a recipient gets at most one an hour. */
  readonly digest: boolean;
  /** All notices have a recipient in common, where recipients matter. */
  send(notices: readonly Notice[], recipient: string | undefined, signal: AbortSignal): Promise<void>;
  /** Reachable, credentials accepted; throws as that of a deploy target does. Sends nothing. */
  check?(signal: AbortSignal): Promise<void>;
}

export interface Notifiers {
  get(name: string): Notifier | undefined;
  all(): readonly Notifier[];
}

export interface Ports {
  readonly wishes: Wishes;
  readonly certificates: Certificates;
  readonly bindings: Bindings;
  readonly served: ServedChanges;
  readonly hostAsks: HostAsks;
  readonly hostPermission: HostPermission;
  readonly staging: Staging;
  readonly issuerCertificates: IssuerCertificates;
  readonly issuances: Issuances;
  readonly renewals: Renewals;
  readonly deployments: Deployments;
  readonly tasks: Tasks;
  readonly due: Due;
  readonly issuerHealth: IssuerHealth;
  readonly changes: Changes;
  readonly locks: Locks;
  readonly buckets: Buckets;
  readonly tokens: ChallengeTokens;
  readonly tlsAnswers: TlsAnswers;
  readonly journal: Journal;
  readonly accounts: Accounts;
  readonly accountChanges: AccountChanges;
  readonly events: Events;
  readonly outbox: Outbox;
  readonly answers: CommandAnswers;
  readonly jobs: Jobs;
  readonly pki: Pki;
  readonly acme: Acme;
  readonly budget: Budget;
  readonly preflight: Preflight;
  readonly solvers: Solvers;
  readonly deployers: Deployers;
  readonly prober: Prober;
  readonly notifiers: Notifiers;
  readonly metrics: Metrics;
  readonly dnsCare: DnsCare;
  readonly clock: Clock;
  readonly log: Log;
}
