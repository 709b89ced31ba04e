import type { Http } from '../core/http.ts';
import type { Ports } from '../core/ports.ts';
import { readReply } from './reply.ts';
import { answersTo, encodeQuery } from './wire.ts';

/** Recursive resolvers over HTTPS (RFC 8484), for a network that lets no question to port 53 out. */
export interface Doh {
  /** TXT values at `name` by each resolver that knows; empty: none could be reached. Never rejects but by `signal`. */
  txt(name: string, signal: AbortSignal): Promise<readonly ReadonlySet<string>[]>;
}

/** Two operators, so that neither decides alone. */
export const publicDohUrls: readonly string[] = [
  'https://cloudflare-dns.com/dns-query',
  'https://dns.google/dns-query',
];

const timeoutMs = 5000;
const maxBytes = 65_535;
const mediaType = 'application/dns-message';

export function createDoh(
  urls: readonly string[],
  { http, log }: Pick<Ports, 'log'> & { readonly http: Pick<Http, 'request'> },
): Doh {
  async function ask(url: string, name: string, signal: AbortSignal): Promise<ReadonlySet<string>[]> {
    const question = { name, type: 'TXT' as const };
    const headers = { accept: mediaType, 'content-type': mediaType };
    const body = encodeQuery(question, { rd: true, edns: true });
    try {
      const answer = await http.request(url, { method: 'POST', headers, body, timeoutMs, maxBytes, signal });
      const message = Buffer.from(answer.body);
      if (answer.status !== 200 || !answersTo(question, message)) return [];
      const { rcode, answers } = readReply(message);
      if (rcode !== 'NOERROR' && rcode !== 'NXDOMAIN') return [];
      return [new Set(answers.flatMap((record) => (record.type === 'TXT' ? [record.value] : [])))];
    } catch (err) {
      if (signal.aborted) throw signal.reason;
      log.debug({ resolver: new URL(url).origin, name, err }, 'the resolver over HTTPS did not answer');
      return [];
    }
  }

  return {
    txt: async (name, signal) => (await Promise.all(urls.map((url) => ask(url, name, signal)))).flat(),
  };
}
