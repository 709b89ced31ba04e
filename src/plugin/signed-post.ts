import { createHmac } from 'node:crypto';
import { z } from 'zod';
import { type AgentError, isAgentError } from '../core/errors.ts';
import type { HttpResponse } from '../core/http.ts';
import type { Secret } from '../core/secret.ts';
import type { Instant } from '../core/types.ts';
import type { PluginContext } from './context.ts';
import { secretText } from './fields.ts';

/** Where a program of the operator's takes messages. */
export interface SignedPostOptions {
  readonly url: Secret<string>;
  readonly secret: Secret<string>;
  readonly headers: Readonly<Record<string, Secret<string>>>;
  readonly timeoutSeconds: number;
}

export const signedPostOptions: z.ZodType<SignedPostOptions> = z.strictObject({
  url: secretText()
    .refine(isWebAddress, 'must be a URL: http:// or https://')
    .describe('Where to POST; kept secret, since such URLs often hold a token.'),
  secret: secretText().describe('Key of the signature; agree on it with the receiver.'),
  headers: z
    .record(z.string().regex(/^[\w-]+$/), secretText())
    .default({})
    .describe('More headers, such as Authorization.'),
  timeoutSeconds: z.number().positive().max(120).default(15).describe('For the whole exchange.'),
});

/** How a receiver is sure of the sender; a note of each plugin that posts so. */
export const signatureNote =
  'Acme-Agent-Signature: t=<seconds since 1970>,v1=<hex HMAC-SHA256, with the secret, of "<t>.<body>">. Compare it with the raw body, and refuse a t that is more than five minutes off.';

/** Why a message was not taken. */
export interface PostFault {
  /** About the receiver, without URL, header or secret. */
  readonly message: string;
  /** false: the same message will be refused again. */
  readonly mayChange: boolean;
  readonly facts?: Readonly<Record<string, unknown>> | undefined;
  readonly retryAt?: Instant | undefined;
  readonly cause?: unknown;
}

export interface SignedPost {
  /** Resolves once the receiver took it (2xx); rejects with what `fault` makes of the reason, on abort with the signal's. */
  send(body: string, signal: AbortSignal): Promise<void>;
  /**
   * Whether the name resolves, the server answers and its certificate is trusted, on the way (and through the proxy) that
   * messages take. Shows neither path nor headers, since those hold secrets; so any answer will do.
   */
  reach(signal: AbortSignal): Promise<void>;
}

export function createSignedPost(
  options: SignedPostOptions,
  { http, clock, name }: Pick<PluginContext, 'name' | 'http' | 'clock'>,
  fault: (fault: PostFault) => AgentError,
): SignedPost {
  const timeoutMs = options.timeoutSeconds * 1000;

  async function send(body: string, signal: AbortSignal): Promise<void> {
    const headers = Object.entries(options.headers).map(([key, value]) => [key, value.reveal()]);
    const request = {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'acme-agent-signature': sign(body, options.secret, clock.now()),
        ...Object.fromEntries(headers),
      },
      body,
      timeoutMs,
      signal,
    };
    const answer = await http.request(options.url.reveal(), request).catch((cause: unknown) => {
      if (!isAgentError(cause)) throw cause;
      throw fault({ message: `the receiver of the webhook ${name} is not reached`, mayChange: true, cause });
    });
    const refusal = judge(answer, name, clock.now());
    if (refusal !== undefined) throw fault(refusal);
  }

  async function reach(signal: AbortSignal): Promise<void> {
    const { origin } = new URL(options.url.reveal());
    await http.request(origin, { method: 'HEAD', timeoutMs, signal }).catch((cause: unknown) => {
      if (!isAgentError(cause)) throw cause;
      const message = `the receiver of the webhook ${name} is not reached: ${cause.message}`;
      throw fault({ message, mayChange: true, cause });
    });
  }

  return { send, reach };
}

/** `t` in seconds, so that a receiver can refuse a replay of an old message. */
function sign(body: string, key: Secret<string>, now: Instant): string {
  const t = Math.floor(now / 1000);
  const v1 = createHmac('sha256', key.reveal()).update(`${t}.${body}`).digest('hex');
  return `t=${t},v1=${v1}`;
}

function judge({ status, headers }: HttpResponse, name: string, now: Instant): PostFault | undefined {
  if (status >= 200 && status < 300) return undefined;
  const facts = { status };
  if (status >= 300 && status < 400)
    return {
      message: `the webhook ${name} is redirected (${status}): give the final URL`,
      mayChange: false,
      facts,
    };
  const mayChange = status >= 500 || [408, 425, 429].includes(status);
  const seconds = Number(headers['retry-after']);
  const retryAt = mayChange && seconds > 0 ? now + seconds * 1000 : undefined;
  return { message: `the receiver of the webhook ${name} answered ${status}`, mayChange, facts, retryAt };
}

function isWebAddress(url: Secret<string>): boolean {
  const text = url.reveal();
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);
}
