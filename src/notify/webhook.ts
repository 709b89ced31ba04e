import { createHmac } from 'node:crypto';
import { z } from 'zod';
import { AgentError, isAgentError } from '../core/errors.ts';
import type { HttpResponse } from '../core/http.ts';
import type { Notice } from '../core/ports.ts';
import type { Secret } from '../core/secret.ts';
import type { PluginContext } from '../plugin/context.ts';
import { defineNotifier } from '../plugin/define.ts';
import { secretText } from '../plugin/fields.ts';

export interface WebhookOptions {
  readonly url: Secret<string>;
  readonly secret: Secret<string>;
  readonly headers: Readonly<Record<string, Secret<string>>>;
  readonly timeoutSeconds: number;
}

const options: z.ZodType<WebhookOptions> = z.strictObject({
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

export const webhook = defineNotifier<WebhookOptions>({
  name: 'webhook',
  title: 'HTTP POST for programs',
  options,
  notes: [
    'The body is JSON: { "version": 1, "notices": [...] }; instants are milliseconds since 1970 (UTC).',
    'Acme-Agent-Signature: t=<seconds since 1970>,v1=<hex HMAC-SHA256, with the secret, of "<t>.<body>">. Compare it with the raw body, and refuse a t that is more than five minutes off.',
    'A notice can come twice; its id stays the same. Any 2xx answer takes the notices; other answers are tried again.',
  ],
  create: (chosen, context) => ({
    name: context.name,
    digest: false,
    send: (notices, _recipient, signal) => post(notices, signal, { options: chosen, context }),
    check: (signal) => reach(signal, { options: chosen, context }),
  }),
});

interface Needs {
  readonly options: WebhookOptions;
  readonly context: Pick<PluginContext, 'name' | 'http' | 'clock'>;
}

async function post(notices: readonly Notice[], signal: AbortSignal, needs: Needs): Promise<void> {
  const { options, context } = needs;
  const { clock, http, name } = context;
  const body = JSON.stringify({ version: 1, notices });
  const headers = Object.entries(options.headers).map(([key, value]) => [key, value.reveal()]);
  const request = {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'acme-agent-signature': sign(body, options.secret, clock.now()),
      ...Object.fromEntries(headers),
    },
    body,
    timeoutMs: options.timeoutSeconds * 1000,
    signal,
  };
  try {
    judge(await http.request(options.url.reveal(), request), needs);
  } catch (cause) {
    if (!isAgentError(cause) || cause.code.startsWith('notify.')) throw cause;
    throw new AgentError('notify.failed', `the receiver of the webhook ${name} is not reached`, { cause });
  }
}

/**
 * Whether the name resolves, the server answers and its certificate is trusted, on the way (and through the proxy) that
 * notices take. Shows neither path nor headers, since those hold secrets; so any answer will do.
 */
async function reach(signal: AbortSignal, { options, context }: Needs): Promise<void> {
  const { origin } = new URL(options.url.reveal());
  const request = { method: 'HEAD', timeoutMs: options.timeoutSeconds * 1000, signal };
  try {
    await context.http.request(origin, request);
  } catch (cause) {
    if (!isAgentError(cause)) throw cause;
    throw new AgentError(
      'notify.failed',
      `the receiver of the webhook ${context.name} is not reached: ${cause.message}`,
      { cause },
    );
  }
}

/** `t` in seconds, so that a receiver can refuse a replay of an old message. */
function sign(body: string, key: Secret<string>, now: number): string {
  const t = Math.floor(now / 1000);
  const v1 = createHmac('sha256', key.reveal()).update(`${t}.${body}`).digest('hex');
  return `t=${t},v1=${v1}`;
}

function judge({ status, headers }: HttpResponse, { context: { name, clock } }: Needs): void {
  if (status >= 200 && status < 300) return;
  const facts = { status };
  if (status >= 300 && status < 400)
    throw new AgentError(
      'notify.rejected',
      `the webhook ${name} is redirected (${status}): give the final URL`,
      {
        facts,
      },
    );
  const mayChange = status >= 500 || [408, 425, 429].includes(status);
  const seconds = Number(headers['retry-after']);
  throw new AgentError(
    mayChange ? 'notify.failed' : 'notify.rejected',
    `the receiver of the webhook ${name} answered ${status}`,
    { facts, retryAt: mayChange && seconds > 0 ? clock.now() + seconds * 1000 : undefined },
  );
}

function isWebAddress(url: Secret<string>): boolean {
  const text = url.reveal();
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);
}
