/** Outbound HTTP, as the program and its plugins see it. */

export interface HttpRequest {
  readonly method?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: string | Uint8Array | undefined;
  /** Default 30 s, for the whole exchange. */
  readonly timeoutMs?: number | undefined;
  /** Default 1 MiB; more is an error. */
  readonly maxBytes?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** To an address that the operator configured. */
export interface TrustedRequest extends HttpRequest {
  /** PEM of the only roots that count for this server; it is one of the operator's own, so no proxy is between. */
  readonly trustPem?: string | undefined;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  text(): string;
  /** Throws when the body is not JSON. */
  json(): unknown;
}

/** A request as a CA makes it to validate a name. */
export interface ValidatorRequest extends HttpRequest {
  /** In place of the resolver of the client; asked once for each connection. */
  readonly resolve: (host: string) => Promise<readonly string[]>;
  /** Redirects to others end it. */
  readonly ports: readonly number[];
}

export interface Validator {
  /**
   * As `requestUntrusted`, but the certificate of the other side is not looked at (RFC 8555 §8.3). Where the other side
   * answered and that can never be what a CA wants (redirects without end or to where no CA goes, too long a body), the
   * `net.failed` has the fact `answered`.
   */
  requestAsValidator(url: string, request: ValidatorRequest): Promise<HttpResponse>;
}

export interface Http {
  /** To an address that the operator configured. Redirects are not followed. Rejects with `net.failed` on transport faults; any status resolves. */
  request(url: string, request?: TrustedRequest): Promise<HttpResponse>;
  /**
   * To an address that a tenant can influence: resolved once and connected to that address, re-checked at each of at
   * most 10 redirects, private and link-local ranges refused unless the configuration allows them.
   */
  requestUntrusted(url: string, request?: HttpRequest): Promise<HttpResponse>;
}
