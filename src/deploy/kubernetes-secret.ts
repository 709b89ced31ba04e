import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { DeployRequest } from '../core/ports.ts';
import type { PemPair } from './pem-files.ts';

const texts = z.record(z.string(), z.string()).nullish();

/** A secret of Kubernetes, as far as it matters here; what else its metadata says goes back as it came. */
export const kubernetesSecret = z.object({
  type: z.string(),
  metadata: z.looseObject({
    uid: z.string(),
    resourceVersion: z.string(),
    labels: texts,
    annotations: texts,
  }),
  data: texts,
  immutable: z.boolean().nullish(),
});
export type KubernetesSecret = z.infer<typeof kubernetesSecret>;

export const tlsType = 'kubernetes.io/tls';
const manager = 'app.kubernetes.io/managed-by';
const slotNote = 'acme-agent/certificate';

/** Longer ones are refused (RFC 1123 subdomain). */
const longestName = 253;

/**
 * Of a form that no other label and key class has: the last part alone tells wildcard and RSA, what stands before it is the
 * label. Where that cannot be a name (an IPv6 address, or too long) its hash stands for it.
 */
export function secretName({ label, keyClass }: DeployRequest['slot']): string {
  const isWildcard = label.startsWith('*.');
  const ending = (isWildcard ? 'wildcard' : 'tls') + (keyClass === 'rsa' ? '-rsa' : '');
  const stem = isWildcard ? label.slice(2) : label;
  const plain = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/.test(stem);
  const name = `${stem}.${ending}`;
  if (plain && name.length <= longestName) return name;
  return `${createHash('sha256').update(stem).digest('hex')}.${ending}`;
}

/** Whether it was made, or taken over, for this slot. */
export function isOf(slot: DeployRequest['slot'], { metadata }: KubernetesSecret): boolean {
  return isManaged({ metadata }) && metadata.annotations?.[slotNote] === describe(slot);
}

/** Whose it is, if it is of the agent. */
export function slotIn({ metadata }: KubernetesSecret): string | undefined {
  return isManaged({ metadata }) ? metadata.annotations?.[slotNote] : undefined;
}

/** What is to be sent: with `before` in its place, and only if that is still so; labels and data of others stay. */
export function secretOf(
  slot: DeployRequest['slot'],
  given: {
    readonly pair: PemPair;
    readonly labels: Readonly<Record<string, string>>;
    readonly before: KubernetesSecret | undefined;
  },
) {
  const { pair, labels, before } = given;
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    type: tlsType,
    metadata: {
      ...before?.metadata,
      name: secretName(slot),
      labels: { ...before?.metadata.labels, ...labels, [manager]: 'acme-agent' },
      annotations: { ...before?.metadata.annotations, [slotNote]: describe(slot) },
    },
    data: { ...before?.data, 'tls.crt': encode(pair.cert), 'tls.key': encode(pair.key) },
  };
}

export function pairIn({ data }: KubernetesSecret): PemPair {
  return { cert: decode(data?.['tls.crt']), key: decode(data?.['tls.key']) };
}

function isManaged({ metadata }: Pick<KubernetesSecret, 'metadata'>): boolean {
  return metadata.labels?.[manager] === 'acme-agent';
}

function describe({ domain, label, keyClass }: DeployRequest['slot']): string {
  return `${domain} ${label} ${keyClass}`;
}

function encode(text: string): string {
  return Buffer.from(text).toString('base64');
}

function decode(text: string | undefined): string {
  return Buffer.from(text ?? '', 'base64').toString();
}
