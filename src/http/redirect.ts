import { AgentError } from '../core/errors.ts';
import type { HttpRequest, HttpResponse } from '../core/http.ts';

const maxRedirects = 10;

/** Visits `url` and where its answers lead, at most ten times further; each hop is judged by `visit`. */
export async function followRedirects(
  url: URL,
  request: HttpRequest,
  visit: (url: URL, request: HttpRequest) => Promise<HttpResponse>,
): Promise<HttpResponse> {
  let [at, current] = [url, request];
  for (let redirects = 0; redirects <= maxRedirects; redirects++) {
    const answer = await visit(at, current);
    const { location } = answer.headers;
    if (location === undefined || ![301, 302, 303, 307, 308].includes(answer.status)) return answer;
    if (!URL.canParse(location, at.href))
      throw answered(`${at.origin} redirects to something that is not a URL`);
    const next = parseUrl(new URL(location, at).href);
    current = redirected(current, answer.status, next.origin === at.origin);
    at = next;
  }
  throw answered(`${url.origin} redirects more than ${maxRedirects} times`);
}

/** It was reached, and what it said is of no use. */
export function answered(message: string): AgentError {
  return new AgentError('net.failed', message, { facts: { answered: true } });
}

/** RFC 9110 §15.4: what of a request goes along to the next place. Credentials stay at their origin. */
function redirected(request: HttpRequest, status: number, sameOrigin: boolean): HttpRequest {
  const keepsBody = status === 307 || status === 308 || ['GET', 'HEAD'].includes(request.method ?? 'GET');
  const dropped = [
    ...(sameOrigin ? [] : ['authorization', 'cookie', 'proxy-authorization']),
    ...(keepsBody ? [] : ['content-type', 'content-length']),
  ];
  const headers = Object.entries(request.headers ?? {}).filter(
    ([name]) => !dropped.includes(name.toLowerCase()),
  );
  return {
    ...request,
    headers: Object.fromEntries(headers),
    ...(!keepsBody && { method: 'GET', body: undefined }),
  };
}

/** Throws `net.refused` for what is not of the web. */
export function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url;
  throw new AgentError(
    'net.refused',
    `not an http or https URL${url === undefined ? '' : `: ${url.protocol}`}`,
  );
}
