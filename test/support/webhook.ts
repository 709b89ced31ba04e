import { createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import { z } from 'zod';
import { canary } from './canaries.ts';

const notice = z.looseObject({
  id: z.string(),
  kind: z.string(),
  lineage: z.string().optional(),
  message: z.string(),
  code: z.string().optional(),
  advice: z.string().optional(),
  reminder: z.object({ number: z.number(), of: z.number().optional() }).optional(),
});

export type ReceivedNotice = z.infer<typeof notice>;

export interface WebhookReceiver {
  readonly url: string;
  readonly secret: string;
  /** Those whose signature was right, in the order they came. */
  readonly notices: readonly ReceivedNotice[];
  stop(): Promise<void>;
}

/** What a platform would run to hear of its certificates; refuses what is not signed with its secret. */
export async function startWebhook(): Promise<WebhookReceiver> {
  const secret = canary();
  const notices: ReceivedNotice[] = [];
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part);
    const body = Buffer.concat(parts).toString();
    const isSigned = hasSignature(body, request.headers['acme-agent-signature'], secret);
    if (isSigned) notices.push(...z.object({ notices: z.array(notice) }).parse(JSON.parse(body)).notices);
    response.writeHead(isSigned ? 204 : 401).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}/hooks/certificates`,
    secret,
    notices,
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function hasSignature(body: string, header: string | readonly string[] | undefined, secret: string): boolean {
  const [, t, v1] = /^t=(\d+),v1=([0-9a-f]+)$/.exec(String(header)) ?? [];
  return v1 === createHmac('sha256', secret).update(`${t}.${body}`).digest('hex');
}
