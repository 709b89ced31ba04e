import { readFileSync } from 'node:fs';
import { z } from 'zod';
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
