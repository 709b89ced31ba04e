import { createHash, createHmac } from 'node:crypto';
import type { Instant } from '../src/core/types.ts';
import type { OutgoingRequest } from '../src/plugin/vendor-request.ts';

export interface Tc3Key {
  readonly secretId: string;
  readonly secretKey: string;
  /** First label of the API's host name. */
  readonly service: string;
}

const algorithm = 'TC3-HMAC-SHA256';
const signedHeaders = 'content-type;host';

/** Tencent Cloud's signature of a request, version 3: https://www.tencentcloud.com/document/product/267/37447 */
export function signTc3(
  { method, url, body = '', headers: own }: OutgoingRequest,
  { secretId, secretKey, service }: Tc3Key,
  now: Instant,
): Readonly<Record<string, string>> {
  const seconds = String(Math.floor(now / 1000));
  const date = new Date(now).toISOString().slice(0, 10);
  const scope = `${date}/${service}/tc3_request`;
  const headers = `content-type:${own['content-type']}\nhost:${url.host}\n`;
  const canonical = [method, '/', url.search.slice(1), headers, signedHeaders, hash(body)].join('\n');
  const text = [algorithm, seconds, scope, hash(canonical)].join('\n');
  const key = [service, 'tc3_request'].reduce(mac, mac(`TC3${secretKey}`, date));
  const signature = mac(key, text).toString('hex');
  return {
    authorization: `${algorithm} Credential=${secretId}/${scope}, SignedHeaders=${signedHeaders}, Signature=${signature}`,
    'x-tc-timestamp': seconds,
  };
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function mac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
