/** Names of all Redis keys and channels of one store. All share one hash tag, so that a cluster keeps them in one slot. */
export interface Keys {
  /** Hash: store id, schema, check value of the master key; `restoring` while a restore is under way, or was broken off. */
  readonly meta: string;
  /** Hash: agent → hash of its configuration, when it began and until when it counts. */
  readonly agents: string;
  /** Hash: name → domain. */
  readonly domains: string;
  /** Hash of one domain: name → host. */
  hosts(domain: string): string;
  /** Hash of one domain: label → group. */
  groups(domain: string): string;
  /** Set of all lineage ids. */
  readonly lineages: string;
  /** Set of the lineage ids of one domain. */
  lineagesOf(domain: string): string;
  /** Set of the ids of uploads of one domain. */
  uploadsOf(domain: string): string;
  /** Hash of one lineage: r record, c current number, g numbers held, and of each number N: fN facts, bN leaf and key, hN chain. */
  lineage(id: string): string;
  /** Hash: SHA-256 of an intermediate → its DER. */
  readonly chains: string;
  /** Hash: SHA-256 of an intermediate → how many generations have it in their chain. */
  readonly chainRefs: string;
  /** Hash: name → binding. */
  readonly bindings: string;
  /** Set of one lineage: names that it is bound to. */
  bindingsOf(lineage: string): string;
  /** String: sealed files, or `used` and the lineage; expires. */
  staging(id: string): string;
  /** Hash: lineage → `version:state`. */
  readonly renewals: string;
  /** Hash: lineage → order under way. */
  readonly issuances: string;
  /** Hash of one lineage: target → `version:deployment`. */
  deployments(lineage: string): string;
  /** Set of `target|lineage`: deployments of lineages that were purged. */
  readonly leaving: string;
  /** Sorted set: id by time of creation. */
  readonly tasks: string;
  /** Hash of one task: its facts, counters, and one field an item. */
  task(id: string): string;
  /** Sorted set: `job:id` by instant of the next action. */
  readonly due: string;
  /** Hash: issuer → faults in a row. */
  readonly issuerFaults: string;
  readonly issuerBreakers: string;
  /** Hash: issuer → ACME account. */
  readonly accounts: string;
  /** Hash: id → journal entry. */
  readonly journal: string;
  /** Sorted set in lexical order: account, zone, name, value, id. */
  readonly journalValues: string;
  /** Stream. */
  readonly events: string;
  /** Hash of one notifier: id → notice. */
  outbox(notifier: string): string;
  /** Hash of one notifier: recipient → instant of the last delivery. */
  outboxSent(notifier: string): string;
  /** Hash of one notifier: recipient → since when nothing is taken, and when it is tried again. */
  outboxTrouble(notifier: string): string;
  /** Hash of one plugin instance: key → sealed value. */
  pluginState(owner: string): string;
  /** String: answer of a command by its idempotency key; expires. */
  answer(key: string): string;
  /** String: `number:random` of the holder; expires. */
  lock(name: string): string;
  /** Counter: number of the last lock given. */
  readonly fence: string;
  /** String: tokens and instant; expires when it would be full again. */
  bucket(key: string): string;
  /** String: key authorization; expires. */
  token(token: string): string;
  /** List of one server name: tls-alpn-01 answers in turn; expires. Of the kind of tokens, so in no backup. */
  tlsAnswers(serverName: string): string;
  /** Sorted set: `lineage:`, `binding:` or `domain:` and its name, by the number of the last change of what is shown. */
  readonly served: string;
  /** String: why a host that was asked for is not taken in; expires. */
  asked(name: string): string;
  /** Sorted set: hosts whose first certificate is awaited, by the time they were taken in. */
  readonly waitingHosts: string;
  /** Channel: name of a host that a client asked for. */
  readonly askedChannel: string;
  /** Channel: something that is shown has changed. */
  readonly servedChannel: string;
  /** Channel: the CA has seen the answer with a token. */
  readonly fetchedChannel: string;
  /** Channel: a lock was released. */
  readonly releasedChannel: string;
  /** Begins every key of the store. */
  readonly prefix: string;
}

export const defaultPrefix = '{acme}';

export function createKeys(prefix: string = defaultPrefix): Keys {
  const root = `${tagged(prefix)}:`;
  const of = (kind: string) => (id: string) => `${root}${kind}:${id}`;
  return {
    prefix: root,
    meta: `${root}meta`,
    agents: `${root}agents`,
    domains: `${root}domains`,
    hosts: of('hosts'),
    groups: of('groups'),
    lineages: `${root}lineages`,
    lineagesOf: of('lineages'),
    uploadsOf: of('uploads'),
    lineage: of('lineage'),
    chains: `${root}chains`,
    chainRefs: `${root}chain-refs`,
    bindings: `${root}bindings`,
    bindingsOf: of('bindings'),
    staging: of('staging'),
    renewals: `${root}renewals`,
    issuances: `${root}issuances`,
    deployments: of('deployments'),
    leaving: `${root}leaving`,
    tasks: `${root}tasks`,
    task: of('task'),
    due: `${root}due`,
    issuerFaults: `${root}issuer-faults`,
    issuerBreakers: `${root}issuer-breakers`,
    accounts: `${root}accounts`,
    journal: `${root}journal`,
    journalValues: `${root}journal-values`,
    events: `${root}events`,
    outbox: of('outbox'),
    outboxSent: of('outbox-sent'),
    outboxTrouble: of('outbox-trouble'),
    pluginState: of('plugin-state'),
    answer: of('answer'),
    lock: of('lock'),
    fence: `${root}fence`,
    bucket: of('bucket'),
    token: of('token'),
    tlsAnswers: of('token:tls'),
    asked: of('asked'),
    waitingHosts: `${root}waiting-hosts`,
    askedChannel: `${root}hosts-asked`,
    served: `${root}served`,
    servedChannel: `${root}served-changed`,
    fetchedChannel: `${root}fetched`,
    releasedChannel: `${root}released`,
  };
}

/** Prefix of the queue library's keys, in the same slot. */
export function queuePrefix(prefix: string = defaultPrefix): string {
  return `${tagged(prefix)}:q`;
}

function tagged(prefix: string): string {
  return /\{[^}]+\}/.test(prefix) ? prefix : `{${prefix}}`;
}
