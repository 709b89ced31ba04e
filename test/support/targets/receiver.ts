import { createHmac, X509Certificate } from 'node:crypto';
import { z } from 'zod';
import { canary } from '../canaries.ts';
import { startTargetServer, type TargetServer } from './server.ts';

const slot = { lineage: z.string(), domain: z.string(), label: z.string(), keyClass: z.string() };

const message = z.discriminatedUnion('event', [
  z.strictObject({
    version: z.literal(1),
    event: z.literal('deployed'),
    target: z.string(),
    ...slot,
    certificate: z.strictObject({
      fingerprint: z.string(),
      serial: z.string(),
      names: z.array(z.string()),
      source: z.string(),
      issuer: z.string(),
      notBefore: z.number(),
      notAfter: z.number(),
      pem: z.string(),
    }),
  }),
  z.strictObject({ version: z.literal(1), event: z.literal('removed'), target: z.string(), ...slot }),
]);

export interface Receiver {
  readonly server: TargetServer;
  readonly options: Readonly<Record<string, unknown>>;
  /** PEM by lineage. */
  readonly held: ReadonlyMap<string, string>;
  readonly bodies: readonly string[];
}

/** A platform that keeps what it is told of its certificates; refuses what is not signed, or not of the form. */
export async function startReceiver(): Promise<Receiver> {
  const [secret, path] = [canary(), canary()];
  const held = new Map<string, string>();
  const bodies: string[] = [];
  const server = await startTargetServer({
    isAuthorized: ({ headers, text }) => {
      const [, t, v1] = /^t=(\d+),v1=([0-9a-f]+)$/.exec(headers['acme-agent-signature'] ?? '') ?? [];
      return v1 === createHmac('sha256', secret).update(`${t}.${text}`).digest('hex');
    },
    routes: [
      {
        method: 'POST',
        path: `/hooks/${path}`,
        run({ text, json }) {
          bodies.push(text);
          const told = message.parse(json);
          if (told.event === 'removed') held.delete(told.lineage);
          else held.set(told.lineage, new X509Certificate(told.certificate.pem) && told.certificate.pem);
          return { status: 204 };
        },
      },
    ],
  });
  return { server, options: { url: `${server.url}/hooks/${path}`, secret }, held, bodies };
}
