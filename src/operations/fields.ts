import { z } from 'zod';
import { isWildcard, parseName, refusal } from '../core/names.ts';

/** Fields that several operations share. What they accept, they also put into its one canonical form. */

/** A host name, also a wildcard. */
export const hostName = z
  .string()
  .refine((text) => refusal(text) === undefined, {
    error: ({ input }) => `"${shown(input)}" is not a host name: ${refusal(String(input))}`,
  })
  .transform(parseName);

export const domainName = hostName.refine((name) => !isWildcard(name), {
  error: ({ input }) =>
    `"${shown(input)}" is a wildcard; name the domain, and give it the mode wildcard if it shall have one`,
});

/** Names of issuers, targets and the like, as the configuration file spells them. */
export const configuredName = z.string().min(1).max(200);

/** What people refer to a certificate by: lineage id, policy id or host name. */
export const certificateName = z.string().min(1).max(1024);

const units: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const durationText = /^(\d{1,6})([smhd])$/;

/** A length of time such as `90m`, `12h` or `7d`; becomes milliseconds with `durationMs`. */
export const duration = z.string().refine((text) => durationText.test(text), {
  error: ({ input }) => `"${shown(input)}" is not a length of time; write for example 90m, 12h or 7d`,
});

/** Milliseconds of a text that `duration` accepted. */
export function durationMs(text: string): number {
  const [, count, unit] = durationText.exec(text) ?? [];
  return Number(count ?? 0) * (units[unit ?? ''] ?? 0);
}

/** Input of a stranger, short enough for a message. */
export function shown(input: unknown): string {
  const text = String(input);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
