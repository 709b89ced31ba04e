import { z } from 'zod';
import { answeredChallenges, experimentalChallenges } from '../core/challenges.ts';
import { domainModes, keyTypes } from '../core/wishes/domain-wish.ts';
import { secretText } from '../plugin/fields.ts';
import {
  dnsServer,
  email,
  endpoint,
  list,
  loopback,
  port,
  range,
  rate,
  shown,
  text,
  webUrl,
} from './fields.ts';
import { http01, redirect, tlsAlpn01 } from './listeners.ts';
import { onDemand } from './on-demand.ts';
import { buypassIsGone, isBuypass, isPreset, refusedPreset } from './presets.ts';

/** The configuration file. Strict; what may be absent has its default here. */

const profile = z.union([
  text.transform((name) => ({ name, required: false })),
  z.strictObject({ name: text, required: z.boolean().default(false) }),
]);
const reference = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;

/** File names; `servername` where the server's certificate is not for the name or address it is reached by. */
const redisTls = z.strictObject({
  ca: text.optional(),
  cert: text.optional(),
  key: text.optional(),
  servername: text.optional(),
});

/** What its keys say together is judged in `redis.ts`. */
const redis = z
  .strictObject({
    url: shown
      .pipe(z.url({ protocol: /^(rediss?|unix)$/, error: 'must be a URL: redis://, rediss:// or unix://' }))
      .optional(),
    username: shown.optional(),
    password: secretText().optional(),
    tls: redisTls.optional(),
    sentinels: z.array(endpoint).min(1).optional(),
    sentinelName: text.optional(),
    sentinelUsername: shown.optional(),
    sentinelPassword: secretText().optional(),
    sentinelTls: redisTls.optional(),
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
  .prefault({});

/** What a domain and `defaults` have in common. */
const domainFields = {
  mode: z.enum(domainModes).optional(),
  issuers: list.min(1).optional(),
  challenge: z.enum([...answeredChallenges, ...experimentalChallenges]).optional(),
  dnsAccount: text.optional(),
  keyTypes: z.array(z.enum(keyTypes)).min(1).optional(),
  profile: profile.optional(),
  partial: z.boolean().optional(),
  reuseKey: z.boolean().optional(),
  redirect: redirect.optional(),
  deploy: list.optional(),
  notify: list.optional(),
  contacts: z.array(email).optional(),
};

/** YAML reads `on` and `off` as text or as true and false. */
const preflightMode = z
  .union([z.enum(['on', 'warn', 'off']), z.boolean()], { error: 'must be on, warn or off' })
  .transform((written) => (typeof written === 'boolean' ? (written ? 'on' : 'off') : written));

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
  preflight: preflightMode.default('on'),
  renewal: z.strictObject({ ceilingDays: z.number().min(1).max(365).default(30) }).prefault({}),
  retention: z.strictObject({ expiredDays: z.number().min(1).max(3650).default(180) }).prefault({}),
  onDemand: onDemand.optional(),
  uploads: z.strictObject({ fetchIssuers: z.boolean().default(false) }).prefault({}),
  http01,
  tlsAlpn01,
  resolvers: z.array(dnsServer).default([]),
  doh: z.array(z.url({ protocol: /^https$/ })).optional(),
  network: z
    .strictObject({
      allowPrivate: z.array(range).default([]),
      proxy: webUrl.optional(),
    })
    .prefault({}),
  experimental: z.array(z.enum(experimentalChallenges)).default([]),
  dnsPersist: z.strictObject({ days: z.number().min(2).max(3650) }).optional(),
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
  metrics: z.strictObject({ listen: loopback }).optional(),
  log: z.strictObject({ level: z.enum(['debug', 'info', 'warn', 'error']).default('info') }).prefault({}),
  domains: z.array(z.unknown()).default([]),
});

/** YAML reads `off` as text or as false. */
const off = z.union([z.literal('off'), z.literal(false)]).transform(() => 'off' as const);

const limit = z.union([off, rate], { error: 'must be { count: 300, per: 3h } (s, m, h or d), or off' });

/** Of an issuer that does not say that somebody agreed to the CA's terms. */
export const disagreed = "must be true: read the CA's terms of service, then agree to them here";

const limits = z.union(
  [
    off,
    z.strictObject({
      ordersPerAccount: limit.optional(),
      certificatesPerDomain: limit.optional(),
      certificatesPerNames: limit.optional(),
      failuresPerName: limit.optional(),
    }),
  ],
  {
    error:
      'must be off, or some of ordersPerAccount, certificatesPerDomain, certificatesPerNames and failuresPerName, each { count: 300, per: 3h } or off',
  },
);

/** `agreeToTerms` must be said; that it is not keeps nothing else from being read. */
export const issuer = z.strictObject({
  preset: text.refine(isPreset, { error: ({ input }) => refusedPreset(String(input)) }).optional(),
  directory: z
    .url({ protocol: /^https$/, error: 'must be the https:// URL of an ACME directory' })
    .refine((url) => !isBuypass(url), { error: buypassIsGone })
    .optional(),
  email: email.optional(),
  eab: z
    .strictObject({
      keyId: shown.refine((id) => id.trim() !== '', 'must be the key id that the CA gave you'),
      hmacKey: secretText().refine(
        (key) => isHmacKey(key.reveal()),
        'must be as the CA shows it: base64url (letters, digits, "-" and "_") of at least 32 bytes',
      ),
    })
    .optional(),
  trust: text.optional(),
  proxy: webUrl.optional(),
  preferredChain: text.optional(),
  profile: profile.optional(),
  replaceDeactivatedAccount: z.boolean().optional(),
  limits: limits.optional(),
  validation: z.strictObject({ httpPort: port.optional(), httpsPort: port.optional() }).optional(),
  agreeToTerms: z.literal(true, { error: disagreed }).optional(),
});

export const dnsAccount = z.looseObject({
  provider: text,
  zones: list.default([]),
  nameservers: z.array(dnsServer).default([]),
});

/** `name` must be said; that it is not keeps nothing else from being read. */
export const domain = z.strictObject({ name: text.default(''), hosts: list.default([]), ...domainFields });

export type RedisPart = z.infer<typeof redis>;
export type DomainPart = z.infer<typeof domain>;
export type FilePart = z.infer<typeof file>;
export type DefaultsPart = FilePart['defaults'];

/** RFC 8555 §7.3.4; HS256 wants a key of at least its hash's length, RFC 7518 §3.2. */
function isHmacKey(written: string): boolean {
  const unpadded = written.replace(/={1,2}$/, '');
  const isBase64Url = /^[\w-]+$/.test(unpadded) && unpadded.length % 4 !== 1;
  return isBase64Url && Buffer.from(unpadded, 'base64url').length >= 32;
}
