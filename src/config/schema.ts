import { BlockList, isIP } from 'node:net';
import { z } from 'zod';
import { secretText } from '../plugin/fields.ts';

/** The configuration file. Strict; what may be absent has its default here. */

const text = z.string().min(1);
const list = z.array(text);
const port = z.int().min(1).max(65_535);
const email = z.email();
const dnsServer = z.string().refine(isServer, 'must be like 192.0.2.1, 192.0.2.1:53 or [2001:db8::1]:53');
const profile = z.union([
  text.transform((name) => ({ name, required: false })),
  z.strictObject({ name: text, required: z.boolean().default(false) }),
]);
const reference = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;

const endpoint = z.union([
  z
    .string()
    .regex(/^(\[[^\]]+\]|[^:]+):\d+$/, 'must be host:port or a mapping with host and port')
    .transform((written) => {
      const colon = written.lastIndexOf(':');
      return {
        host: written.slice(0, colon).replace(/^\[|\]$/g, ''),
        port: Number(written.slice(colon + 1)),
      };
    }),
  z.strictObject({ host: text, port }),
]);

const redis = z
  .strictObject({
    url: z
      .url({ protocol: /^(rediss?|unix)$/, error: 'must be a URL: redis://, rediss:// or unix://' })
      .optional(),
    username: text.optional(),
    password: secretText().optional(),
    tls: z.strictObject({ ca: text.optional(), cert: text.optional(), key: text.optional() }).optional(),
    sentinels: z.array(endpoint).min(1).optional(),
    sentinelName: text.optional(),
    cluster: z.array(endpoint).min(1).optional(),
    prefix: z
      .string()
      .regex(
        /^[\w:-]*\{[\w:-]+\}[\w:-]*$/,
        'must hold one hash tag, like {acme}, so that all keys share a slot',
      )
      .default('{acme}'),
    durability: z.enum(['strict', 'relaxed']).default('strict'),
    serverPath: text.optional(),
  })
  .refine((given) => [given.url, given.sentinels, given.cluster].filter(Boolean).length <= 1, {
    error: 'give one of url, sentinels and cluster',
  })
  .refine(({ sentinels, sentinelName }) => (sentinels === undefined) === (sentinelName === undefined), {
    error: 'sentinels and sentinelName belong together',
  })
  .refine(({ tls }) => (tls?.cert === undefined) === (tls?.key === undefined), {
    error: 'tls.cert and tls.key belong together',
  })
  .prefault({});

/** What a domain and `defaults` have in common. */
const domainFields = {
  mode: z.enum(['auto', 'wildcard', 'individual', 'custom']).optional(),
  issuers: list.min(1).optional(),
  challenge: z.enum(['http-01', 'dns-01', 'tls-alpn-01']).optional(),
  dnsAccount: text.optional(),
  keyTypes: z
    .array(z.enum(['p256', 'p384', 'rsa2048', 'rsa3072', 'rsa4096']))
    .min(1)
    .optional(),
  profile: profile.optional(),
  deploy: list.optional(),
  notify: list.optional(),
  contacts: z.array(email).optional(),
};

/** Entries of the four named sections and of `domains` are read one by one, by the schemas below or a plugin's. */
export const file = z.strictObject({
  dataDir: text.default('/var/lib/acme-agent'),
  masterKey: z
    .union([z.strictObject({ file: text }), z.strictObject({ env: text })], {
      error: 'must be { file: PATH } or { env: NAME }',
    })
    .optional(),
  redis,
  plugins: list.default([]),
  issuers: z.record(z.string().regex(reference), z.unknown()).default({}),
  dnsAccounts: z.record(z.string().regex(reference), z.unknown()).default({}),
  deployTargets: z.record(z.string().regex(reference), z.unknown()).default({}),
  notifiers: z.record(z.string().regex(reference), z.unknown()).default({}),
  defaults: z.strictObject(domainFields).prefault({}),
  renewal: z.strictObject({ ceilingDays: z.number().min(1).max(365).default(30) }).prefault({}),
  http01: z
    .strictObject({
      port: port.default(80),
      address: z
        .string()
        .refine(isAddress, 'must be an IP address of this machine, :: for all')
        .default('::'),
    })
    .prefault({}),
  resolvers: z.array(dnsServer).default([]),
  network: z
    .strictObject({
      allowPrivate: z
        .array(z.string().refine(isRange, 'must be a range like 10.0.0.0/8 or fd00::/8'))
        .default([]),
      proxy: z.url({ protocol: /^https?$/, error: 'must be a URL: http:// or https://' }).optional(),
    })
    .prefault({}),
  roles: z
    .array(z.enum(['scheduler', 'worker', 'edge']))
    .min(1)
    .default(['scheduler', 'worker', 'edge']),
  concurrency: z
    .strictObject({
      commands: z.int().min(1).max(64).default(4),
      issuance: z.int().min(1).max(256).default(16),
      deploy: z.int().min(1).max(256).default(8),
      notify: z.int().min(1).max(64).default(4),
      upkeep: z.int().min(1).max(16).default(2),
    })
    .prefault({}),
  log: z.strictObject({ level: z.enum(['debug', 'info', 'warn', 'error']).default('info') }).prefault({}),
  domains: z.array(z.unknown()).default([]),
});

export const issuer = z.strictObject({
  preset: text.optional(),
  directory: z
    .url({ protocol: /^https?$/, error: 'must be the https:// URL of an ACME directory' })
    .optional(),
  email: email.optional(),
  eab: z.strictObject({ keyId: text, hmacKey: secretText() }).optional(),
  trust: text.optional(),
  proxy: z.url({ protocol: /^https?$/, error: 'must be a URL: http:// or https://' }).optional(),
  preferredChain: text.optional(),
  profile: profile.optional(),
  agreeToTerms: z.literal(true, {
    error: "must be true: read the CA's terms of service, then agree to them here",
  }),
});

export const dnsAccount = z.looseObject({
  provider: text,
  zones: list.default([]),
  nameservers: z.array(dnsServer).default([]),
});

export const domain = z.strictObject({ name: text, hosts: list.default([]), ...domainFields });

export type RedisPart = z.infer<typeof redis>;
export type DomainPart = z.infer<typeof domain>;
export type FilePart = z.infer<typeof file>;
export type DefaultsPart = FilePart['defaults'];

function isAddress(written: string): boolean {
  return isIP(written) !== 0;
}

function isServer(written: string): boolean {
  const parts = /^\[([^\]]+)\](?::(\d+))?$/.exec(written) ?? /^([^:]+)(?::(\d+))?$/.exec(written);
  const number = Number(parts?.[2] ?? 53);
  return isIP(parts?.[1] ?? written) !== 0 && number > 0 && number < 65_536;
}

function isRange(written: string): boolean {
  const [network = '', bits, ...more] = written.split('/');
  const family = isIP(network);
  const most = family === 4 ? 32 : 128;
  if (family === 0 || more.length > 0 || !/^\d+$/.test(bits ?? String(most))) return false;
  try {
    new BlockList().addSubnet(network, Number(bits ?? most), family === 4 ? 'ipv4' : 'ipv6');
    return true;
  } catch {
    return false;
  }
}
