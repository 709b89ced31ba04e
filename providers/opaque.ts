import { z } from 'zod';
import type { ChildResult } from '../src/core/child.ts';
import type { ProviderTraits } from '../src/core/provider.ts';

/** Options of the ways to change records that one cannot see through: a program, or somebody else's server. */
export function opaqueOptions(cleanup: 'value' | 'name') {
  return {
    cleanup: z
      .enum(['value', 'name'])
      .default(cleanup)
      .describe('What a removal takes away: the value given, or all TXT records of the name.'),
    ttl: z.int().min(1).max(86_400).default(60).describe('Seconds; what is known to be set.'),
    propagationSeconds: z.int().min(0).max(3600).default(60).describe('How long a change usually takes.'),
  };
}

export interface OpaqueOptions {
  readonly cleanup: 'value' | 'name';
  readonly ttl: number;
  readonly propagationSeconds: number;
}

/** One change at a time: who knows whether what is behind could keep two apart. */
export function opaqueTraits({ cleanup, ttl, propagationSeconds }: OpaqueOptions): ProviderTraits {
  const typicalMs = propagationSeconds * 1000;
  return {
    model: 'opaque',
    serialize: 'account',
    batch: { maxChanges: 1, atomic: true },
    maxValuesPerName: Number.POSITIVE_INFINITY,
    removeIsExact: cleanup === 'value',
    rate: [],
    ttl: { min: 1, preferred: ttl },
    propagation: {
      signal: 'authoritative',
      typicalMs,
      timeoutMs: Math.max(600_000, 2 * typicalMs),
    },
  };
}

/** How a program ended, to follow its name. */
export function howItEnded({ code, timedOut }: ChildResult, timeoutSeconds: number): string {
  if (timedOut) return `did not end within ${timeoutSeconds} s`;
  return `ended with ${code === undefined ? 'a signal' : `exit code ${code}`}`;
}
