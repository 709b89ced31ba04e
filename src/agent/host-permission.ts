import { AgentError } from '../core/errors.ts';
import type { Http } from '../core/http.ts';
import type { HostPermission } from '../core/ports.ts';
import type { Secret } from '../core/secret.ts';

const timeoutMs = 5_000;
const maxBytes = 64 * 1024;

/** GET with the host as `domain`. Clients choose what is asked, so the question goes out like any to an address of strangers. */
export function createHostPermission(
  url: Secret<string> | undefined,
  { requestUntrusted }: Pick<Http, 'requestUntrusted'>,
): HostPermission {
  return {
    ask: async (name, signal) => {
      if (url === undefined) throw new AgentError('bug', 'the file has no onDemand.permission to ask');
      const question = new URL(url.reveal());
      question.searchParams.set('domain', name);
      return (await requestUntrusted(question.href, { timeoutMs, maxBytes, signal })).status;
    },
  };
}
