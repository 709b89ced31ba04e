import { readFileSync } from 'node:fs';
import { z } from 'zod';
import type { ProviderTraits } from '../core/provider.ts';
import { Secret, secret } from '../core/secret.ts';

/**
 * A secret in the configuration: written as text, `{ env: NAME }` or `{ file: PATH }`. The loader resolves the latter
 * two before the schema sees them, so that a plugin only ever gets the value, wrapped so that it does not print.
 */
export function secretText(): z.ZodType<Secret<string>> {
  return z.union([z.string().min(1).transform(secret), z.instanceof(Secret<string>)]).meta({ secret: true });
}

/** Reads a secret file: its text without the line break at the end. */
export function readSecretFile(path: string): string {
  return readFileSync(path, 'utf8').replace(/\r?\n$/, '');
}

/** The option `baseUrl` of a vendor's API. */
export function baseUrlOption(url: string): z.ZodType<string> {
  return z
    .url()
    .default(url)
    .describe('Another URL of the API.')
    .overwrite((text) => text.replace(/\/+$/, ''));
}

/** The option `ttl`: what the vendor takes, and what is best for values that are soon removed. */
export function ttlOption({ min, preferred, max = 86_400 }: TtlRange): z.ZodType<number> {
  return z
    .int()
    .min(min)
    .max(max)
    .default(preferred)
    .describe('Seconds; of records made, not of those changed.');
}

/** The traits of an account with that option. */
export function withTtl(traits: ProviderTraits, preferred: number): ProviderTraits {
  return { ...traits, ttl: { ...traits.ttl, preferred } };
}

interface TtlRange {
  readonly min: number;
  readonly preferred: number;
  readonly max?: number | undefined;
}
