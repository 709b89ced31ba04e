import { createHash, createHmac } from 'node:crypto';
import type { Instant } from '../src/core/types.ts';
import type { OutgoingRequest } from '../src/plugin/vendor-request.ts';

export interface AcsKey {
  readonly accessKeyId: string;
  readonly accessKeySecret: string;
}

const algorithm = 'ACS3-HMAC-SHA256';

/**
 * Alibaba Cloud's signature of a request, version 3, over its host and all of its own `x-acs-` headers:
 * https://www.alibabacloud.com/help/en/sdk/product-overview/v3-request-structure-and-signature
 */
export function signAcs3(
  { method, url, body = '', headers }: OutgoingRequest,
  { accessKeyId, accessKeySecret }: AcsKey,
  { now, nonce }: { readonly now: Instant; readonly nonce: string },
): Readonly<Record<string, string>> {
  const own = Object.entries(headers).filter(([name]) => name.startsWith('x-acs-'));
  const added = {
    'x-acs-content-sha256': hash(body),
    'x-acs-date': new Date(now).toISOString().replace(/\.\d+Z$/, 'Z'),
    'x-acs-signature-nonce': nonce,
  };
  const signed = Object.entries({ host: url.host, ...Object.fromEntries(own), ...added }).sort(byName);
  const names = signed.map(([name]) => name).join(';');
  const lines = signed.map(([name, value]) => `${name}:${value.trim()}\n`).join('');
  const canonical = [method, url.pathname, canonicalQuery(url), lines, names, hash(body)].join('\n');
  const signature = createHmac('sha256', accessKeySecret)
    .update(`${algorithm}\n${hash(canonical)}`)
    .digest('hex');
  return {
    ...added,
    authorization: `${algorithm} Credential=${accessKeyId},SignedHeaders=${names},Signature=${signature}`,
  };
}

function canonicalQuery({ searchParams }: URL): string {
  const parts = [...searchParams].map(([name, value]) => [encode(name), encode(value)] as const);
  return parts
    .sort(byName)
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
}

/** RFC 3986: all but the unreserved characters. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function byName([a]: readonly [string, string], [b]: readonly [string, string]): number {
  return a < b ? -1 : Number(a > b);
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
