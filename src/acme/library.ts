import type { KeyObject } from 'node:crypto';
import type { Client } from 'acme-client';
import type { Answer } from './transport.ts';

/** An answer in the shape that acme-client's own layers pass on. */
export interface ApiAnswer {
  readonly status: number;
  readonly headers: Answer['headers'];
  readonly data: unknown;
  readonly answer: Answer;
}

interface ApiOptions {
  readonly includeJwsKid?: boolean;
  readonly includeExternalAccountBinding?: boolean;
  /** Ours, of a request for an order: asked before it is sent again though the CA may have made the order. */
  readonly mayRepeat?: (() => Promise<boolean>) | undefined;
}

/** acme-client 5.4.0's `client.api`: one method a resource of RFC 8555. */
export interface AcmeApi {
  accountUrl: string | null;
  http: AcmeHttp;
  apiRequest(
    url: string,
    payload?: object | null,
    expected?: readonly number[],
    options?: ApiOptions,
  ): Promise<ApiAnswer>;
  getAccountUrl(): string;
  createAccount(data: object): Promise<ApiAnswer>;
  updateAccount(data: object): Promise<ApiAnswer>;
  getOrder(url: string): Promise<ApiAnswer>;
  finalizeOrder(url: string, data: object): Promise<ApiAnswer>;
  getAuthorization(url: string): Promise<ApiAnswer>;
  completeChallenge(url: string, data: object): Promise<ApiAnswer>;
}

export interface RequestOptions {
  readonly data?: unknown;
  /** Ours. */
  readonly patienceMs?: number | undefined;
  readonly unheardMs?: number | undefined;
}

/** acme-client 5.4.0's `client.http`: signing, and the requests that we replace. */
export interface AcmeHttp {
  accountKey: KeyObject | Buffer;
  jwk: object | null;
  request(url: string, method: string, options?: RequestOptions): Promise<ApiAnswer>;
  getNonce(patienceMs?: number): Promise<string>;
  getDirectory(): Promise<Readonly<Record<string, string>>>;
  createSignedBody(
    url: string,
    payload: object | null,
    options: { readonly nonce?: string; readonly kid: string | null },
  ): object;
  createSignedHmacBody(
    key: string,
    url: string,
    payload: object | null,
    options: { readonly kid: string },
  ): object;
  getJwk(): object;
}

export type HookedClient = Client & { readonly http: AcmeHttp; readonly api: AcmeApi };
