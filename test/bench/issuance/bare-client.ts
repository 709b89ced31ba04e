import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { Agent } from 'undici';

/** The reference: the same ACME calls as the agent makes, and nothing else; no storage, no queue, no checks. */
export interface BareClient {
  post(url: string, payload: object | '' | undefined): Promise<BareAnswer>;
  readonly directory: Readonly<Record<string, string>>;
  keyAuthorization(token: string): string;
  close(): Promise<void>;
}

export interface BareAnswer {
  readonly status: number;
  readonly location: string | undefined;
  readonly retryAfter: number | undefined;
  readonly text: string;
}

export async function openBareClient(directoryUrl: string, ca: string): Promise<BareClient> {
  const agent = new Agent({ connect: { ca }, keepAliveTimeout: 60_000 });
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwk = publicJwk(publicKey);
  const thumbprint = createHash('sha256').update(JSON.stringify(jwk)).digest('base64url');
  const nonces: string[] = [];
  const directory = JSON.parse((await send('GET', directoryUrl)).text) as Record<string, string>;
  let account: string | undefined;

  async function send(method: 'GET' | 'HEAD' | 'POST', url: string, body?: string): Promise<BareAnswer> {
    const { origin, pathname, search } = new URL(url);
    const answer = await agent.request({
      origin,
      path: pathname + search,
      method,
      headers: { 'user-agent': 'bare-loop', 'content-type': 'application/jose+json' },
      body: body ?? null,
    });
    const nonce = answer.headers['replay-nonce'];
    if (typeof nonce === 'string') nonces.push(nonce);
    const header = (name: string) => {
      const value = answer.headers[name];
      return typeof value === 'string' ? value : undefined;
    };
    const retryAfter = header('retry-after');
    const text = await answer.body.text();
    return {
      status: answer.statusCode,
      location: header('location'),
      retryAfter: retryAfter === undefined ? undefined : Number(retryAfter),
      text,
    };
  }

  async function post(url: string, payload: object | '' | undefined): Promise<BareAnswer> {
    for (;;) {
      if (nonces.length === 0) await send('HEAD', directory.newNonce ?? '');
      const id = account === undefined ? { jwk } : { kid: account };
      const head = encode(JSON.stringify({ alg: 'ES256', nonce: nonces.pop(), url, ...id }));
      const body = payload === '' ? '' : encode(JSON.stringify(payload ?? {}));
      const signature = sign('sha256', Buffer.from(`${head}.${body}`), {
        key: privateKey,
        dsaEncoding: 'ieee-p1363',
      });
      const jws = JSON.stringify({
        protected: head,
        payload: body,
        signature: signature.toString('base64url'),
      });
      const answer = await send('POST', url, jws);
      if (answer.status === 400 && answer.text.includes('badNonce')) continue;
      if (answer.status >= 400) throw new Error(`${url}: ${answer.status} ${answer.text}`);
      return answer;
    }
  }

  const made = await post(directory.newAccount ?? '', { termsOfServiceAgreed: true });
  account = made.location;
  return {
    post,
    directory,
    keyAuthorization: (token) => `${token}.${thumbprint}`,
    close: () => agent.close(),
  };
}

function publicJwk(key: KeyObject): { crv: string; kty: string; x: string; y: string } {
  const { x = '', y = '' } = key.export({ format: 'jwk' });
  return { crv: 'P-256', kty: 'EC', x, y };
}

function encode(text: string): string {
  return Buffer.from(text).toString('base64url');
}
