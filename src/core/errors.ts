import type { Instant } from './types.ts';

/**
 * When it makes sense to try again.
 * soon: in seconds, inside the job; later: on the ladder; blocked: only after a person acted (still tried once a day).
 */
export type Retry = 'soon' | 'later' | 'blocked';

interface ErrorKind {
  readonly retry: Retry;
  /** RFC 8555 §6.7 (or extension) problem types, without the `urn:ietf:params:acme:error:` prefix. */
  readonly problems?: readonly string[];
  /** One sentence for the operator. */
  readonly advice: string;
}

function kinds<K extends string>(table: Record<K, ErrorKind>): Record<K, ErrorKind> {
  return table;
}

/** Every error code: when to retry, the ACME problem types it covers, and what the operator can do. */
export const errorTable = kinds({
  'config.invalid': {
    retry: 'blocked',
    advice: 'Correct the configuration file at the place named, then run "acme-agent check".',
  },
  'config.unreadable': {
    retry: 'blocked',
    advice:
      'See that what the message names exists, and that the user who runs acme-agent may read it, or run it if it is a program.',
  },
  'config.unwritable': {
    retry: 'blocked',
    advice: 'Give this user the right to write there and the disk some space, or choose another path.',
  },
  'config.plugin': {
    retry: 'blocked',
    advice: 'Install the plugin beside the agent, or remove it from "plugins".',
  },
  'config.port': { retry: 'blocked', advice: 'Free the port or choose another one in the configuration.' },
  'config.conflict': {
    retry: 'blocked',
    advice: 'Make the shared configuration of all agents on this store equal, then restart or reload them.',
  },

  'command.invalid': {
    retry: 'blocked',
    advice: 'Correct the input of the command; its message names the field.',
  },
  'command.unknown': {
    retry: 'blocked',
    advice: 'Use one of the operations that "acme-agent --help" lists.',
  },
  'command.conflict': {
    retry: 'blocked',
    advice: 'The record is owned by the configuration file or in use; change it there.',
  },
  'command.notFound': {
    retry: 'blocked',
    advice: 'Check the name; "acme-agent domains list" and "certs list" show what exists.',
  },

  'acme.network': {
    retry: 'soon',
    advice: "Check that this machine reaches the CA's directory URL (network, proxy, trust anchors).",
  },
  'acme.badNonce': {
    retry: 'soon',
    problems: ['badNonce'],
    advice: 'Nothing to do: the request is repeated with a fresh nonce.',
  },
  'acme.server': {
    retry: 'soon',
    problems: ['serverInternal'],
    advice: 'Nothing to do here: the CA has an internal fault; see its status page if it lasts.',
  },
  'acme.rateLimited': {
    retry: 'later',
    problems: ['rateLimited'],
    advice: 'Nothing to do: the next attempt waits for the limit of the CA.',
  },
  'acme.paused': {
    retry: 'blocked',
    advice:
      'Mend the DNS or web server of the name, open the URL in the message to unpause it at the CA, then run "acme-agent retry NAME".',
  },
  'acme.account': {
    retry: 'blocked',
    problems: [
      'accountDoesNotExist',
      'invalidContact',
      'unsupportedContact',
      'badPublicKey',
      'badSignatureAlgorithm',
    ],
    advice: 'Check the account of this issuer: its e-mail address, and whether the CA deactivated it.',
  },
  'acme.externalAccount': {
    retry: 'blocked',
    problems: ['externalAccountRequired'],
    advice: 'Put the key id and HMAC key that the CA gave you under "eab" of this issuer.',
  },
  'acme.userAction': {
    retry: 'blocked',
    problems: ['userActionRequired'],
    advice: "Agree to the CA's new terms of service at the URL in the message.",
  },
  'acme.malformed': {
    retry: 'later',
    problems: ['malformed', 'badCSR', 'badRevocationReason', 'compound', 'conflict', 'orderNotReady'],
    advice: 'The CA did not accept our request; report it with the log lines around it.',
  },
  'acme.response': {
    retry: 'later',
    advice:
      'What answered is not an ACME server, or a faulty one: check the directory URL and any proxy between.',
  },

  'order.rejectedIdentifier': {
    retry: 'blocked',
    problems: ['rejectedIdentifier', 'unsupportedIdentifier'],
    advice: 'This CA will not issue for the name; take it out or use another issuer.',
  },
  'order.profile': {
    retry: 'blocked',
    problems: ['invalidProfile'],
    advice: 'Choose a profile that the CA lists, or make it preferred instead of required.',
  },
  'order.alreadyReplaced': {
    retry: 'soon',
    problems: ['alreadyReplaced'],
    advice: 'Nothing to do: the order is repeated without "replaces".',
  },
  'order.expired': { retry: 'later', advice: 'Nothing to do: a new order follows.' },
  'order.invalid': {
    retry: 'later',
    advice: 'Read the message of the CA; the next order follows on the ladder.',
  },
  'order.certificate': {
    retry: 'later',
    advice:
      'The CA delivered something other than was ordered; report it to the CA with the log lines around it.',
  },
  'order.noChallenge': {
    retry: 'blocked',
    advice: 'The CA does not offer the challenge type configured for this domain; choose another one.',
  },
  'order.issuer': { retry: 'blocked', advice: 'Name a configured issuer for this domain.' },

  'challenge.connection': {
    retry: 'later',
    problems: ['connection'],
    advice:
      'Point the name at a server that answers port 80 from everywhere and passes /.well-known/acme-challenge/ on to the agent.',
  },
  'challenge.dns': {
    retry: 'later',
    problems: ['dns'],
    advice: 'Check that the name resolves: A, AAAA, NS and DNSSEC, from outside.',
  },
  'challenge.tls': {
    retry: 'later',
    problems: ['tls'],
    advice: 'Check that port 443 of the name reaches the agent without another TLS terminator between.',
  },
  'challenge.unauthorized': {
    retry: 'later',
    problems: ['unauthorized'],
    advice:
      'The CA reached something else than this agent: check where the name points and what answers there.',
  },
  'challenge.incorrectResponse': {
    retry: 'later',
    problems: ['incorrectResponse'],
    advice: 'The CA got a wrong answer: check caches, CDNs and old TXT records on the way.',
  },
  'challenge.caa': {
    retry: 'blocked',
    problems: ['caa'],
    advice: 'Add a CAA record that allows this CA, or remove those that forbid it.',
  },
  'challenge.timeout': {
    retry: 'later',
    advice: 'The CA did not finish validating in time; the next order follows on the ladder.',
  },

  'dns.zoneNotFound': {
    retry: 'blocked',
    advice: 'Check that the zone exists at the DNS account of this domain and is delegated.',
  },
  'dns.cname': {
    retry: 'blocked',
    advice: 'Mend the CNAME chain of the challenge name: it loops or does not end.',
  },
  'dns.propagation': {
    retry: 'later',
    advice: 'The authoritative servers did not all show the record in time; check them one by one.',
  },
  'dns.query': {
    retry: 'later',
    advice:
      'Check the DNS servers under "resolvers" (absent: those of the system), and that this machine may ask them on port 53.',
  },

  'provider.auth': {
    retry: 'blocked',
    advice: 'Renew the credentials of this DNS account and check their rights.',
  },
  'provider.forbidden': {
    retry: 'blocked',
    advice: 'Give the credentials the right to change TXT records of this name.',
  },
  'provider.throttled': { retry: 'later', advice: "Nothing to do: calls wait for the DNS vendor's limit." },
  'provider.conflict': {
    retry: 'soon',
    advice: 'Nothing to do: another writer changed the zone; the change is repeated.',
  },
  'provider.invalid': { retry: 'blocked', advice: 'The DNS vendor refused the record; read its message.' },
  'provider.unavailable': {
    retry: 'later',
    advice:
      "Check that this machine reaches the DNS vendor's API or server; if it lasts, see the vendor's status page.",
  },

  'net.failed': {
    retry: 'soon',
    advice: 'Check that this machine reaches the address: name resolution, network, proxy and certificate.',
  },
  'net.refused': {
    retry: 'blocked',
    advice: 'The address is private or link-local; allow its range in the configuration if that is meant.',
  },

  'store.unavailable': {
    retry: 'soon',
    advice: 'Check that Redis runs and that the URL (rediss:// for TLS), user and password are right.',
  },
  'store.lost': {
    retry: 'blocked',
    advice:
      'The store is not the one this data directory belongs to: run "acme-agent restore FILE", or "acme-agent start --accept-empty-store" if the loss is meant.',
  },
  'store.schema': {
    retry: 'blocked',
    advice: 'Run the same version of acme-agent everywhere on this store, or migrate it.',
  },
  'store.record': {
    retry: 'later',
    advice:
      'Bring it back with "acme-agent restore FILE", or say it anew; what the configuration file names is written again at the next start.',
  },
  'store.masterKey': {
    retry: 'blocked',
    advice: "Give this agent the store's master key (masterKey.file or ACME_AGENT_MASTER_KEY).",
  },
  'store.durability': {
    retry: 'blocked',
    advice:
      'Set appendonly yes, no-appendfsync-on-rewrite no, and appendfsync always (everysec will do from Redis 7.2 on, and for Valkey), or accept the risk with redis.durability: relaxed.',
  },
  'store.eviction': { retry: 'blocked', advice: 'Set maxmemory-policy noeviction on this Redis.' },
  'store.fenced': { retry: 'soon', advice: 'Nothing to do: another worker took over.' },
  'store.conflict': {
    retry: 'soon',
    advice: 'Nothing to do: somebody else changed the record; it is read and written again.',
  },
  'store.running': {
    retry: 'blocked',
    advice: 'Stop it first, or set redis.url to run several agents.',
  },
  'store.notRunning': {
    retry: 'blocked',
    advice: 'Start it with "acme-agent start".',
  },
  'store.noServer': {
    retry: 'blocked',
    advice: 'Install Redis (Debian: apt-get install redis-server) or set redis.url.',
  },
  'store.inUse': {
    retry: 'blocked',
    advice: 'Stop every agent on this store and try again; one that was killed counts for 90 seconds.',
  },
  'store.notEmpty': {
    retry: 'blocked',
    advice:
      'Take a backup of what is there, then give --force to put the other one in its place; or restore to another Redis or prefix.',
  },
  'store.backup': {
    retry: 'blocked',
    advice: 'Check the backup file and that the master key is the one it was made with.',
  },

  'deploy.target': { retry: 'later', advice: 'Check the deploy target: its path, rights and disk space.' },
  'deploy.reload': {
    retry: 'later',
    advice:
      'Run the reload command by hand, as the user of the agent, and mend what it says. The files are in place; the agent runs the command again by itself.',
  },
  'deploy.mismatch': {
    retry: 'later',
    advice: 'The target shows another certificate than was deployed; look for another writer.',
  },

  'notify.failed': { retry: 'later', advice: 'Check the notifier: server, credentials and addresses.' },
  'notify.rejected': {
    retry: 'blocked',
    advice: 'The receiving side refuses the message for good; check addresses and secret.',
  },

  bug: {
    retry: 'later',
    advice: 'This is a fault of acme-agent; please report it with the log lines around it.',
  },
});

export type ErrorCode = keyof typeof errorTable;

export interface ErrorDetail {
  readonly retry?: Retry | undefined;
  /** Not before this instant. */
  readonly retryAt?: Instant | undefined;
  /** Public facts for the log. Never a secret. */
  readonly facts?: Readonly<Record<string, unknown>> | undefined;
  /** What to do, where more is known than the table says of the code; a sentence. */
  readonly advice?: string | undefined;
  readonly cause?: unknown;
}

/** The one error of this program. The message speaks of the world and names the thing; the code says when to retry. */
export class AgentError extends Error {
  readonly code: ErrorCode;
  readonly retry: Retry;
  readonly retryAt: Instant | undefined;
  readonly facts: Readonly<Record<string, unknown>>;
  readonly advice: string;

  constructor(code: ErrorCode, message: string, detail: ErrorDetail = {}) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause });
    this.name = 'AgentError';
    this.code = code;
    this.retry = detail.retry ?? errorTable[code].retry;
    this.retryAt = detail.retryAt;
    this.facts = detail.facts ?? {};
    this.advice = detail.advice ?? errorTable[code].advice;
  }
}

export function isAgentError(error: unknown, code?: ErrorCode): error is AgentError {
  return error instanceof AgentError && (code === undefined || error.code === code);
}

/** Any thrown value as an AgentError; what we did not foresee becomes `bug` with the original as cause. */
export function toAgentError(error: unknown): AgentError {
  if (error instanceof AgentError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new AgentError('bug', `unexpected: ${message}`, { cause: error });
}

const prefix = 'urn:ietf:params:acme:error:';

const codeByProblem = new Map<string, ErrorCode>(
  Object.entries(errorTable).flatMap(([code, kind]: [string, ErrorKind]) =>
    (kind.problems ?? []).map((problem): [string, ErrorCode] => [problem, code as ErrorCode]),
  ),
);

/** Code for an ACME problem type URN; unknown types count as `order.invalid` (RFC 8555 §6.7). */
export function codeOfProblem(type: string): ErrorCode {
  return codeByProblem.get(problemName(type)) ?? 'order.invalid';
}

/** Type of an ACME problem without the prefix that all of them have. */
export function problemName(type: string): string {
  return type.startsWith(prefix) ? type.slice(prefix.length) : type;
}
