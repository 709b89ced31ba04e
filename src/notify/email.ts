import { createHash } from 'node:crypto';
import type { SendMailOptions } from 'nodemailer';
import { z } from 'zod';
import { AgentError } from '../core/errors.ts';
import type { Notice } from '../core/ports.ts';
import type { Secret } from '../core/secret.ts';
import { orAborted } from '../core/wait.ts';
import type { PluginContext } from '../plugin/context.ts';
import { defineNotifier } from '../plugin/define.ts';
import { secretText } from '../plugin/fields.ts';
import { renderMessage } from './templates.ts';

export interface EmailOptions {
  readonly host: string;
  readonly port?: number | undefined;
  readonly tls: 'starttls' | 'implicit' | 'none';
  readonly trust?: string | undefined;
  readonly username?: string | undefined;
  readonly password?: Secret<string> | undefined;
  readonly from: string;
  readonly to: readonly string[];
}

const options: z.ZodType<EmailOptions> = z
  .strictObject({
    host: z.string().min(1).describe('Mail server that takes the messages (submission).'),
    port: z
      .int()
      .min(1)
      .max(65_535)
      .optional()
      .describe('Default 587 (starttls), 465 (implicit), 25 (none).'),
    tls: z
      .enum(['starttls', 'implicit', 'none'])
      .default('starttls')
      .describe('starttls is required, never only tried; none is for a server on this machine.'),
    trust: z
      .string()
      .min(1)
      .optional()
      .describe("PEM of the server's root, if it is not a public one: { file: PATH }."),
    username: z.string().min(1).optional(),
    password: secretText().optional(),
    from: z
      .string()
      .regex(/@/, 'must be an e-mail address, with or without a name before it')
      .describe('Sender.'),
    to: z.array(z.email()).default([]).describe('Who gets what concerns no domain with contacts of its own.'),
  })
  .refine(({ username, password }) => (username === undefined) === (password === undefined), {
    error: 'username and password belong together',
  });

const ports = { starttls: 587, implicit: 465, none: 25 };
const timeoutMs = 30_000;

/** What the agent was about, for messages. */
interface Attempt {
  readonly refused: string;
  readonly failed: string;
}

const sending: Attempt = { refused: 'refuses the message', failed: 'did not take the message' };
const checking: Attempt = { refused: 'refuses the agent', failed: 'cannot be used' };

export const email = defineNotifier<EmailOptions>({
  name: 'email',
  title: 'E-mail for people',
  options,
  notes: [
    'What waits for one person goes in one message, as text and as HTML; nobody gets more than one message an hour.',
    'A message that is sent again keeps its Message-ID.',
  ],
  create: (chosen, context) => ({
    name: context.name,
    digest: true,
    send: async (notices, recipient, signal) =>
      send(toMail(notices, recipient, { options: chosen, context }), signal, { options: chosen, context }),
    check: (signal) => verify(signal, chosen),
  }),
});

interface Needs {
  readonly options: EmailOptions;
  readonly context: Pick<PluginContext, 'name' | 'clock' | 'log'>;
}

function toMail(
  notices: readonly Notice[],
  recipient: string | undefined,
  { options, context }: Needs,
): SendMailOptions {
  const to = recipient === undefined ? [...options.to] : [recipient];
  if (to.length === 0)
    throw new AgentError(
      'notify.rejected',
      `the notifier ${context.name} has nobody to write to: add "to", or "contacts" to the domains`,
    );
  const ids = notices.map(({ id }) => id).join('\n');
  const digest = createHash('sha256').update(`${to.join()}\n${ids}`).digest('hex').slice(0, 32);
  return {
    from: options.from,
    to,
    messageId: `<${digest}@acme-agent.${domainOf(options.from)}>`,
    headers: { 'Auto-Submitted': 'auto-generated' },
    ...renderMessage(notices, context.clock.now()),
  };
}

async function send(mail: SendMailOptions, signal: AbortSignal, { options, context }: Needs): Promise<void> {
  signal.throwIfAborted();
  const transport = await open(options);
  try {
    // The library cannot be interrupted: its own time limits end what goes on.
    const { rejected } = await orAborted(transport.sendMail(mail), signal);
    if (rejected.length > 0)
      context.log.warn({ notifier: context.name, recipients: rejected.map(addressOf) }, 'recipients refused');
  } catch (cause) {
    if (signal.aborted) throw signal.reason;
    throw asNotifyError(cause, options, sending);
  } finally {
    transport.close();
  }
}

/** Greets, encrypts and logs in as for a message, then says goodbye. */
async function verify(signal: AbortSignal, options: EmailOptions): Promise<void> {
  signal.throwIfAborted();
  const transport = await open(options);
  try {
    await orAborted(transport.verify(), signal);
  } catch (cause) {
    if (signal.aborted) throw signal.reason;
    throw asNotifyError(cause, options, checking);
  } finally {
    transport.close();
  }
}

/** The library is loaded for the first message: commands and many an agent send none. */
async function open({ host, port, tls, trust, username, password }: EmailOptions) {
  const { createTransport } = await import('nodemailer');
  return createTransport({
    host,
    port: port ?? ports[tls],
    secure: tls === 'implicit',
    requireTLS: tls === 'starttls',
    ignoreTLS: tls === 'none',
    tls: { ca: trust, minVersion: 'TLSv1.2' },
    auth: username === undefined ? undefined : { user: username, pass: password?.reveal() },
    connectionTimeout: timeoutMs,
    greetingTimeout: timeoutMs,
    socketTimeout: timeoutMs,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
}

function asNotifyError(cause: unknown, options: EmailOptions, { refused, failed }: Attempt): AgentError {
  const server = `${options.host}:${options.port ?? ports[options.tls]}`;
  const { code, responseCode, response } = cause as {
    readonly code?: string;
    readonly responseCode?: number;
    readonly response?: string;
  };
  const words = response?.split(/\r?\n/)[0]?.slice(0, 200);
  const facts = { server, code, responseCode };
  // A server that does not encrypt today may do so tomorrow; all the rest of 5xx is for good (RFC 5321 §4.2.1).
  if (responseCode !== undefined && responseCode >= 500 && code !== 'ETLS')
    return new AgentError('notify.rejected', `the mail server ${server} ${refused}: ${words}`, {
      facts,
      cause,
    });
  const reason = words ?? (cause instanceof Error ? cause.message : String(cause));
  return new AgentError('notify.failed', `the mail server ${server} ${failed}: ${reason}`, {
    facts,
    cause,
  });
}

function addressOf(recipient: string | { readonly address: string }): string {
  return typeof recipient === 'string' ? recipient : recipient.address;
}

function domainOf(sender: string): string {
  return /@([\w.-]+)/.exec(sender)?.[1] ?? 'invalid';
}
