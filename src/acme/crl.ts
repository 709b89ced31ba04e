import { createHash } from 'node:crypto';
import { AgentError, toAgentError } from '../core/errors.ts';
import type { Http, HttpResponse } from '../core/http.ts';
import type { Clock, CrlQuery, Crls, IssuedSerials } from '../core/ports.ts';
import type { Instant } from '../core/types.ts';
import { type ReadCrl, readCrl } from '../x509/crl.ts';

/** A list of a big CA has some megabytes; more than this is no list. */
const maxBytes = 50 * 1024 * 1024;
const timeoutMs = 120_000;
/** What a list says stands until its next update, but a CA may publish sooner; and nobody asks more often. */
const shortestMs = 3_600_000;
const longestMs = 6 * 3_600_000;
/** Lists of CAs that nothing here is from any more. */
const forgottenMs = 30 * 86_400_000;

interface Seen {
  readonly etag: string | undefined;
  readonly lastModified: string | undefined;
  /** Until then the list is not asked for again. */
  readonly freshUntil: Instant;
  /** Serials that were looked for in it, each with its CA. */
  readonly marks: ReadonlySet<string>;
}

/**
 * Lists of revoked certificates, each fetched once for all certificates that name it, not again before it can have
 * changed, and then only if it has. Remembered in this process alone: after a restart each is looked at once more.
 */
export function createCrls({ http, clock }: { readonly http: Http; readonly clock: Clock }): Crls {
  const seen = new Map<string, Seen>();

  function forgetOld(now: Instant): void {
    for (const [url, { freshUntil }] of seen) if (freshUntil + forgottenMs < now) seen.delete(url);
  }

  return {
    async look(query, found, signal) {
      const now = clock.now();
      const before = seen.get(query.url);
      // A serial that was not looked for yet may be in the list that we have seen.
      const marks = query.issued.flatMap(marksOf);
      const known = marks.every((mark) => before?.marks.has(mark)) ? before : undefined;
      if (known !== undefined && now < known.freshUntil && now > known.freshUntil - longestMs) return;
      const answer = await fetchList(http, { query, known }, signal);
      const freshUntil =
        answer.status === 304 ? now + longestMs : now + (await useList({ answer, query, now }, found));
      const { etag = known?.etag, 'last-modified': lastModified = known?.lastModified } = answer.headers;
      seen.set(query.url, { etag, lastModified, freshUntil, marks: new Set(marks) });
      forgetOld(now);
    },
  };
}

async function fetchList(
  http: Http,
  { query: { url }, known }: { readonly query: CrlQuery; readonly known: Seen | undefined },
  signal: AbortSignal,
): Promise<HttpResponse> {
  const headers = {
    ...(known?.etag !== undefined && { 'if-none-match': known.etag }),
    ...(known?.lastModified !== undefined && { 'if-modified-since': known.lastModified }),
  };
  const answer = await http.requestUntrusted(url, { headers, maxBytes, timeoutMs, signal });
  if (answer.status === 200 || (answer.status === 304 && known !== undefined)) return answer;
  throw new AgentError('net.failed', `${url} answered with HTTP ${answer.status} where a list belongs`, {
    facts: { url, status: answer.status },
  });
}

/** Resolves with how long it need not be asked for. */
async function useList(
  { answer, query, now }: { readonly answer: HttpResponse; readonly query: CrlQuery; readonly now: Instant },
  found: Parameters<Crls['look']>[1],
): Promise<number> {
  const { url } = query;
  const lists = query.issued.map((issued) => ({
    issued,
    list: readOrRefuse(answer.body, issued, { url, now }),
  }));
  const times: number[] = [];
  for (const { issued, list } of lists) {
    if (list instanceof AgentError) continue;
    await found(list.revoked, issued);
    times.push((list.nextUpdate ?? now + longestMs) - now);
  }
  const refusal = lists.map(({ list }) => list).find((list) => list instanceof AgentError);
  if (refusal !== undefined) throw refusal;
  return Math.min(Math.max(Math.min(...times), shortestMs), longestMs);
}

/** What one CA publishes is worth knowing, also where the list of another one should be. */
function readOrRefuse(
  body: Uint8Array,
  issued: IssuedSerials,
  at: { readonly url: string; readonly now: Instant },
): ReadCrl | AgentError {
  try {
    return readCrl(body, { ...issued, ...at });
  } catch (error) {
    return toAgentError(error);
  }
}

function marksOf({ issuerDer, serials }: IssuedSerials): readonly string[] {
  const issuer = createHash('sha256').update(issuerDer).digest('hex');
  return serials.map((serial) => `${issuer} ${serial}`);
}
