import { readFileSync } from 'node:fs';
import { Agent as HttpAgent, request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface Question {
  readonly method: string;
  readonly path: string;
  readonly headers?: IncomingHttpHeaders | undefined;
  readonly body?: Buffer | undefined;
}

export interface Upstream {
  ask(question: Question): Promise<Answer>;
  freshNonce(newNoncePath: string): Promise<string | undefined>;
  close(): void;
}

/** The CA behind the proxy, over connections that are kept. */
export function createUpstream(url: URL, caFile: string | undefined): Upstream {
  const secure = url.protocol === 'https:';
  const agent = secure
    ? new HttpsAgent({ keepAlive: true, ca: caFile === undefined ? undefined : readFileSync(caFile) })
    : new HttpAgent({ keepAlive: true });
  const send = secure ? httpsRequest : httpRequest;

  function ask({ method, path, headers = {}, body }: Question): Promise<Answer> {
    const { connection: _own, 'transfer-encoding': _chunked, ...passed } = headers;
    const length = body === undefined || body.length === 0 ? {} : { 'content-length': String(body.length) };
    return new Promise((resolve, reject) => {
      const call = send(
        {
          agent,
          host: url.hostname,
          port: url.port,
          method,
          path,
          headers: { 'user-agent': 'test proxy', ...passed, ...length },
        },
        (answer) => {
          const parts: Buffer[] = [];
          answer.on('data', (part: Buffer) => parts.push(part));
          answer.on('end', () => {
            resolve({
              status: answer.statusCode ?? 502,
              headers: answer.headers,
              body: Buffer.concat(parts),
            });
          });
        },
      );
      call.on('error', reject);
      call.end(body);
    });
  }

  return {
    ask,
    freshNonce: async (path) => {
      const { headers } = await ask({ method: 'HEAD', path });
      const nonce = headers['replay-nonce'];
      return Array.isArray(nonce) ? nonce[0] : nonce;
    },
    close: () => agent.destroy(),
  };
}
