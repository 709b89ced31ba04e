import { AgentError, type ErrorCode, isAgentError } from '../core/errors.ts';

/** What AWS says is wrong. */
export interface AwsFault {
  readonly name: string;
  readonly message: string;
  /** undefined: there was no answer. */
  readonly status: number | undefined;
  readonly retryAfterSeconds: number | undefined;
}

export interface AwsAsked {
  /** As people know it: "Route 53". */
  readonly service: string;
  /** Completes "Route 53 refuses …". */
  readonly doing: string;
  readonly now: number;
  /** Whose documentation has the policy. */
  readonly reader: 'provider' | 'target';
  /** What the service says in its own words. */
  readonly codeOf?: ((fault: AwsFault) => ErrorCode | undefined) | undefined;
  /** What an error document without a code of its own is called. */
  readonly unnamed?: string | undefined;
  /** In the request, and not to be repeated. */
  readonly secrets?: readonly string[] | undefined;
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
  RequestLimitExceeded: 'provider.throttled',
  Throttling: 'provider.throttled',
  ThrottlingException: 'provider.throttled',
  TooManyRequestsException: 'provider.throttled',
};

const maxMessageLength = 500;

/** What the AWS SDK threw, as an AgentError with a code `provider.*`, or what `codeOf` says. */
export function toAwsError(error: unknown, asked: AwsAsked): AgentError {
  const { service, doing, now } = asked;
  if (isAgentError(error)) {
    return new AgentError('provider.unavailable', `${service} cannot be asked ${doing}: ${error.message}`, {
      ...(error.code === 'net.failed' && { retry: 'soon' as const }),
      cause: error,
    });
  }
  const fault = readFault(error, asked);
  const code = asked.codeOf?.(fault) ?? codeOf(fault);
  const remedy = remedyOf(code, asked);
  const text = fault.message === '' ? fault.name : `${fault.name}: ${fault.message}`;
  // Often over in a moment, if AWS owns up to it.
  const isOwned = code === 'provider.unavailable' && fault.status !== undefined;
  const retryAt = fault.retryAfterSeconds === undefined ? undefined : now + fault.retryAfterSeconds * 1000;
  return new AgentError(code, `${service} refuses ${doing} (${text})${remedy}`, {
    ...(code === 'provider.throttled' && { retryAt }),
    ...(isOwned && { retry: 'soon' as const }),
    facts: { vendorCode: fault.name, ...(fault.status !== undefined && { status: fault.status }) },
    // What AWS answered goes no further than its first line: below it may repeat the request with its session token.
    ...(fault.status === undefined && { cause: error }),
  });
}

function remedyOf(code: ErrorCode, { reader }: AwsAsked): string {
  if (code === 'provider.auth') return '; check the credentials and the clock of this machine';
  if (code !== 'provider.forbidden') return '';
  return `; give the credentials the rights of the policy in the documentation of this ${reader}`;
}

function codeOf({ name, status }: AwsFault): ErrorCode {
  const known = codes[name];
  if (known !== undefined) return known;
  if (status === undefined || status >= 500) return 'provider.unavailable';
  if (status === 429) return 'provider.throttled';
  return status === 401 || status === 403 ? 'provider.auth' : 'provider.invalid';
}

/** An error document without a code reaches us as "Unknown", with its text only in `Messages`. */
function readFault(error: unknown, { unnamed = 'Unknown', secrets = [] }: AwsAsked): AwsFault {
  const { name, message, messages, Messages, $metadata, $response } = asRecord(error);
  const listed = textsIn(messages) || textsIn(Messages);
  const status = asRecord($metadata).httpStatusCode;
  const retryAfter = Number(asRecord(asRecord($response).headers)['retry-after']);
  return {
    name: typeof name !== 'string' || (name === 'Unknown' && listed !== '') ? unnamed : name,
    message: firstLineOf(masked(listed || (typeof message === 'string' ? message : String(error)), secrets)),
    status: typeof status === 'number' ? status : undefined,
    retryAfterSeconds: retryAfter > 0 ? retryAfter : undefined,
  };
}

function masked(text: string, secrets: readonly string[]): string {
  const forms = secrets.flatMap((secret) => [secret, Buffer.from(secret).toString('base64')]);
  return forms.reduce((left, form) => left.replaceAll(form, '[secret]'), text);
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
