import { AgentError } from '../core/errors.ts';
import type { Secret } from '../core/secret.ts';

export interface VendorRequest {
  /** Completes "… refuses": "to list the zones". */
  readonly doing: string;
  /** Below the base URL, its parts encoded; or a whole URL of the same origin, as vendors give it for a next page. */
  readonly path: string;
  /** Default: GET, with a body POST. */
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | undefined;
  /** Those that are undefined are left out. */
  readonly query?: Readonly<Record<string, string | number | undefined>> | undefined;
  readonly json?: unknown;
  readonly form?: Readonly<Record<string, string>> | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** In it, and not to be repeated; beside those of the API. */
  readonly secrets?: readonly Secret<string>[] | undefined;
  /** The zone that it is about: 404 means that it is not there. */
  readonly zone?: string | undefined;
  /** Statuses beside those of success that are answers as well. */
  readonly accept?: readonly number[] | undefined;
  /** Default 1 MiB. */
  readonly maxBytes?: number | undefined;
}

/** What signatures are made of. */
export interface OutgoingRequest {
  readonly method: string;
  readonly url: URL;
  readonly body: string | undefined;
  /** Its own, with the type of the body. */
  readonly headers: Readonly<Record<string, string>>;
}

export function urlOf(baseUrl: string, { path, query = {} }: VendorRequest, vendor: string): URL {
  const base = new URL(baseUrl);
  const url = new URL(/^https?:/.test(path) ? path : `${baseUrl.replace(/\/+$/, '')}${path}`);
  if (url.origin !== base.origin)
    throw new AgentError('provider.unavailable', `${vendor} leads from ${base.origin} to ${url.origin}`);
  for (const [key, value] of Object.entries(query))
    if (value !== undefined) url.searchParams.set(key, String(value));
  return url;
}

export function bodyOf({ json, form }: VendorRequest): {
  readonly content: string | undefined;
  readonly type: Readonly<Record<string, string>>;
} {
  if (json !== undefined)
    return { content: JSON.stringify(json), type: { 'content-type': 'application/json' } };
  if (form === undefined) return { content: undefined, type: {} };
  return {
    content: new URLSearchParams(form).toString(),
    type: { 'content-type': 'application/x-www-form-urlencoded' },
  };
}
