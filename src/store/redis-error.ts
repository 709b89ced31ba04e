import { AgentError, isAgentError } from '../core/errors.ts';

const refusedReplies = /^(NOAUTH|WRONGPASS|NOPERM|ERR AUTH|ERR invalid password)/;
const awayReplies =
  /^(LOADING|MASTERDOWN|CLUSTERDOWN|READONLY|TRYAGAIN|MOVED|ASK|OOM|MISCONF|NOREPLICAS|BUSY|UNBLOCKED)/;

/** What the driver rejected with, as an error of the store. */
export function toStoreError(error: unknown, address: string): AgentError {
  if (isAgentError(error)) return error;
  const cause = rootOf(error);
  const message = messageOf(cause);
  const isReply = cause instanceof Error && cause.name === 'ReplyError';
  if (isReply && refusedReplies.test(message)) {
    // What Redis says of it is about its protocol.
    const reason = message.startsWith('NOAUTH') ? 'it asks for a password' : message;
    return new AgentError('store.unavailable', `Redis at ${address} refuses this user: ${reason}`, {
      retry: 'blocked',
    });
  }
  if (isReply && !awayReplies.test(message))
    return new AgentError('bug', `Redis at ${address} refused a command: ${message}`, {
      cause: withoutArguments(cause),
    });
  if (/^(Unknown RESP type|Protocol error)/.test(message))
    return new AgentError('store.unavailable', `what answers at ${address} is not Redis`);
  return new AgentError('store.unavailable', `Redis at ${address} does not serve: ${message}`);
}

/** The driver only says that there is no connection; why not, it said before in an event. */
export function isDisconnected(error: unknown): boolean {
  return /^(Stream isn't writeable|Connection is closed|Reached the max retries|None of startup nodes)/.test(
    messageOf(error),
  );
}

/** Errors of the driver carry the command with all its arguments, which may be large. */
function withoutArguments(error: Error): Error {
  const bare = new Error(error.message);
  bare.name = error.name;
  return bare;
}

export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof AggregateError && error.message === '') return messageOf(error.errors[0]);
  return error.message;
}

/** The cluster driver wraps what its nodes said. */
export function rootOf(error: unknown): unknown {
  const nested = error instanceof Error && 'lastNodeError' in error ? error.lastNodeError : undefined;
  return nested ?? error;
}
