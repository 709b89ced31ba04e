import { isPublicSuffix } from '../acme/registered-domain.ts';
import { AgentError } from '../core/errors.ts';
import type { Http } from '../core/http.ts';
import { patternSuffix } from '../core/on-demand/patterns.ts';
import type { HostPermission } from '../core/ports.ts';
import type { Secret } from '../core/secret.ts';
import type { OnDemandSettings } from '../core/types.ts';
import type { Said } from './check-item.ts';

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

/** A name that nobody can have (RFC 2606). */
const nobodys = 'check.invalid';

/** Whether the platform answers, and does not permit whatever it is asked. */
export async function checkHostPermission(permission: HostPermission, signal: AbortSignal): Promise<Said> {
  const status = await permission.ask(nobodys, signal);
  if (status >= 500)
    return {
      warning: `the platform answers ${status}, so nothing new is taken in`,
      advice: 'Look at its log.',
    };
  if (status < 200 || status >= 300) return 'ready';
  return {
    warning: `the platform permits ${nobodys} too, a name that nobody can have`,
    advice: 'Let it answer 404 for every host that is not its own: anybody can ask for any name.',
  };
}

/** Whether strangers could have hosts taken in without anybody being asked; the file alone does not know suffixes like co.uk. */
export function checkAllowed({ allow, asksPermission }: OnDemandSettings): Said {
  const open = allow.filter((pattern) => isPublicSuffix(patternSuffix(pattern)));
  if (asksPermission || open.length === 0) return `${allow.join(' ')}`;
  return {
    warning: `${open.join(' ')} allows the names of whoever registers one`,
    advice: 'Add "permission", the URL at which the platform says which are its own.',
  };
}
