import { AgentError, type ErrorCode, isAgentError } from '../src/core/errors.ts';

interface AwsFault {
  readonly name: string;
  readonly message: string;
  /** undefined: there was no answer. */
  readonly status: number | undefined;
  readonly retryAfterSeconds: number | undefined;
}

const codes: Readonly<Record<string, ErrorCode>> = {
  AccessDenied: 'provider.forbidden',
  AccessDeniedException: 'provider.forbidden',
  NotAuthorizedException: 'provider.forbidden',
  CredentialsProviderError: 'provider.auth',
  ExpiredToken: 'provider.auth',
  ExpiredTokenException: 'provider.auth',
  IncompleteSignature: 'provider.auth',
  InvalidClientTokenId: 'provider.auth',
  InvalidSignatureException: 'provider.auth',
  MissingAuthenticationToken: 'provider.auth',
  OptInRequired: 'provider.auth',
  RequestExpired: 'provider.auth',
  SignatureDoesNotMatch: 'provider.auth',
  UnrecognizedClientException: 'provider.auth',
  NoSuchHostedZone: 'dns.zoneNotFound',
  PriorRequestNotComplete: 'provider.conflict',
  RequestLimitExceeded: 'provider.throttled',
  Throttling: 'provider.throttled',
  ThrottlingException: 'provider.throttled',
  TooManyRequestsException: 'provider.throttled',
};

const maxMessageLength = 500;

const remedies: Partial<Record<ErrorCode, string>> = {
  'provider.auth': 'check the credentials and the clock of this machine',
  'provider.forbidden': 'give the credentials the rights of the policy in the documentation of this provider',
};

/** What the AWS SDK threw, as an AgentError; `doing` completes "Route 53 refuses …". */
export function toProviderError(
  error: unknown,
  { doing, now }: { readonly doing: string; readonly now: number },
): AgentError {
  if (isAgentError(error)) {
    return new AgentError('provider.unavailable', `Route 53 cannot be asked ${doing}: ${error.message}`, {
      cause: error,
    });
  }
  const fault = readFault(error);
  const code = codeOf(fault);
  const remedy = remedies[code] === undefined ? '' : `; ${remedies[code]}`;
  const text = fault.message === '' ? fault.name : `${fault.name}: ${fault.message}`;
  const retryAt = fault.retryAfterSeconds === undefined ? undefined : now + fault.retryAfterSeconds * 1000;
  return new AgentError(code, `Route 53 refuses ${doing} (${text})${remedy}`, {
    ...(code === 'provider.throttled' && { retryAt }),
    facts: { vendorCode: fault.name, ...(fault.status !== undefined && { status: fault.status }) },
    // What AWS answered goes no further than its first line: below it may repeat the request with its session token.
    ...(fault.status === undefined && { cause: error }),
  });
}

function codeOf({ name, message, status }: AwsFault): ErrorCode {
  const known = codes[name];
  if (known !== undefined) return known;
  if (isChangedMeanwhile(message)) return 'provider.conflict';
  if (status === undefined || status >= 500) return 'provider.unavailable';
  if (status === 429) return 'provider.throttled';
  return status === 401 || status === 403 ? 'provider.auth' : 'provider.invalid';
}

/** Our batch names sets as they were read; this is what Route 53 says when they are no longer so. */
function isChangedMeanwhile(message: string): boolean {
  return /but it was not found|do not match the current values|but it already exists/.test(message);
}

/** An error document with the root InvalidChangeBatch reaches us as "Unknown", with its text only in `Messages`. */
function readFault(error: unknown): AwsFault {
  const { name, message, messages, Messages, $metadata, $response } = asRecord(error);
  const listed = textsIn(messages) || textsIn(Messages);
  const status = asRecord($metadata).httpStatusCode;
  const retryAfter = Number(asRecord(asRecord($response).headers)['retry-after']);
  return {
    name: typeof name !== 'string' || (name === 'Unknown' && listed !== '') ? 'InvalidChangeBatch' : name,
    message: firstLineOf(listed || (typeof message === 'string' ? message : String(error))),
    status: typeof status === 'number' ? status : undefined,
    retryAfterSeconds: retryAfter > 0 ? retryAfter : undefined,
  };
}

function firstLineOf(text: string): string {
  return (text.split('\n', 1)[0] ?? '').slice(0, maxMessageLength);
}

/** A list of texts, or a record `{ Message }` of one or many. */
function textsIn(value: unknown): string {
  if (typeof value === 'string') return value;
  if (Array.isArray(value)) return value.map(textsIn).join('; ');
  return value === undefined || value === null ? '' : textsIn(asRecord(value).Message);
}

function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}
