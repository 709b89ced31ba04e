import type { z } from 'zod';
import { AgentError, type ErrorCode, isAgentError } from '../core/errors.ts';
import type { PluginContext } from '../plugin/context.ts';
import { createVendorApi, type VendorAnswer, type VendorApiOptions } from '../plugin/vendor-api.ts';
import type { VendorRequest } from '../plugin/vendor-request.ts';

/** Requests to the API by which a program takes certificates; each rejects with `deploy.target`, on abort with the signal's reason. */
export interface AdminApi {
  /** What is at a path; undefined: nothing. */
  find<T>(form: z.ZodType<T>, request: VendorRequest, signal: AbortSignal): Promise<T | undefined>;
  send(request: VendorRequest, signal: AbortSignal): Promise<VendorAnswer>;
}

/** What the request was refused for decides when it is tried again. */
const blocked: readonly ErrorCode[] = ['provider.auth', 'provider.forbidden', 'provider.invalid'];

export function createAdminApi(
  options: VendorApiOptions & { readonly advice: string },
  context: Pick<PluginContext, 'http' | 'clock'>,
): AdminApi {
  const remedies = { 'provider.auth': options.advice, 'provider.forbidden': options.advice };
  const api = createVendorApi({ remedies, ...options }, context);

  function send(request: VendorRequest, signal: AbortSignal): Promise<VendorAnswer> {
    return api.send(request, signal).catch((cause: unknown) => {
      signal.throwIfAborted();
      throw toTargetError(cause, options.advice);
    });
  }

  return {
    send,
    async find(form, request, signal) {
      const answer = await send({ ...request, accept: [404] }, signal);
      if (answer.status === 404) return undefined;
      const parsed = form.safeParse(answer.body);
      if (parsed.success) return parsed.data;
      const what = `${options.vendor} was asked ${request.doing} and answers in a form that is not understood`;
      throw new AgentError('deploy.target', what, { advice: options.advice });
    },
  };
}

/** A refusal `provider.*` as one of a target. */
export function toTargetError(cause: unknown, advice: string): unknown {
  if (!isAgentError(cause)) return cause;
  const { message, facts, retryAt, code } = cause;
  const retry = blocked.includes(code) ? 'blocked' : cause.retry;
  return new AgentError('deploy.target', message, { facts, retryAt, retry, cause, advice });
}
