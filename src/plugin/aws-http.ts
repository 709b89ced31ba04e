import type { Http } from '../core/http.ts';

/** What the AWS SDK hands to the transport; its `query` is not encoded yet. */
export interface SdkRequest {
  readonly method: string;
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number | undefined;
  readonly path: string;
  readonly query?: Readonly<Record<string, string | readonly string[] | null>> | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

export interface SdkResponse {
  readonly statusCode: number;
  readonly headers: Record<string, string>;
  readonly body: Uint8Array;
}

const timeoutMs = 30_000;

/** A page of 300 record sets at the vendor's limits stays below. */
const maxBytes = 16 * 1024 * 1024;

/** The transport of the AWS SDK, on the agent's own HTTP: the same proxy, trust anchors and deadlines as all else. */
export function createRequestHandler(http: Http) {
  return {
    async handle(request: SdkRequest, options: { readonly abortSignal?: unknown } = {}) {
      const { status, headers, body } = await http.request(urlOf(request), {
        method: request.method,
        headers: withoutConnectionHeaders(request.headers),
        body: bodyOf(request.body),
        timeoutMs,
        maxBytes,
        signal: options.abortSignal instanceof AbortSignal ? options.abortSignal : undefined,
      });
      const response: SdkResponse = { statusCode: status, headers: { ...headers }, body };
      return { response };
    },
    updateHttpClientConfig() {},
    httpHandlerConfigs: () => ({}),
  };
}

function urlOf({ protocol, hostname, port, path, query = {} }: SdkRequest): string {
  const pairs = Object.entries(query).flatMap(([key, value]) =>
    [value].flat().map((one) => `${encode(key)}=${encode(one ?? '')}`),
  );
  const origin = `${protocol}//${hostname}${port === undefined ? '' : `:${port}`}`;
  return `${origin}${path}${pairs.length === 0 ? '' : `?${pairs.join('&')}`}`;
}

/** RFC 3986, as signatures want it: stricter than what browsers escape. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** The connection sets these itself, to the same values. */
function withoutConnectionHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => !['host', 'content-length'].includes(name.toLowerCase())),
  );
}

function bodyOf(body: unknown): string | Uint8Array | undefined {
  return typeof body === 'string' || body instanceof Uint8Array ? body : undefined;
}
